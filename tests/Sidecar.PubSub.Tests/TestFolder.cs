namespace DaprPlatform.Sidecar.PubSub.Tests;

/// <summary>A folder of a test's own, deleted at its end.</summary>
internal sealed class TestFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("pubsub-tests-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
