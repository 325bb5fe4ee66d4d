namespace Dapr.Actors.Communication;

/// <summary>The id that lets a chain of calls come back to an actor in it. Flows with the call that the actor is in.</summary>
internal static class Reentrancy
{
    public const string Header = "Dapr-Reentrancy-Id";

    private static readonly AsyncLocal<string?> Id = new();

    public static string? Current
    {
        get => Id.Value;
        set => Id.Value = value;
    }
}
