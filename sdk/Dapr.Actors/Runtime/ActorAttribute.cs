namespace Dapr.Actors.Runtime;

[AttributeUsage(AttributeTargets.Class)]
public sealed class ActorAttribute : Attribute
{
    /// <summary>The actor type's name for callers; null: the name of the class.</summary>
    public string? TypeName { get; set; }
}
