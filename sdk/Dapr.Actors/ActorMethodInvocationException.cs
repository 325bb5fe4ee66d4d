namespace Dapr.Actors;

/// <summary>The actor's method threw. <see cref="Exception.InnerException"/> is an <see cref="ActorInvokeException"/> that tells what.</summary>
public class ActorMethodInvocationException(string message, Exception innerException, bool isTransient)
    : DaprApiException(message, innerException, null, isTransient);
