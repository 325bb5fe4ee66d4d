namespace Dapr.Actors;

/// <summary>
/// Marks the interfaces through which an actor is called. Their methods return <see cref="Task"/> or <see cref="Task{TResult}"/>, are neither generic nor
/// overloaded, and take no reference parameters.
/// </summary>
public interface IActor;
