namespace Dapr.Workflow.Abstractions;

/// <summary>The name a workflow or activity is registered under.</summary>
public readonly record struct TaskIdentifier(string Name)
{
    public static implicit operator string(TaskIdentifier identifier) => identifier.Name;

    public static implicit operator TaskIdentifier(string name) => new(name);

    public override string ToString() => Name;
}
