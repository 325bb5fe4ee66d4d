using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.State.Tests;

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("sidecar-state-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class Specs
{
    public static ComponentSpec Of(Engine engine, string type, params (string Name, string Value)[] metadata) => new("store", type, "v1",
        metadata.ToDictionary(m => m.Name, m => m.Value, StringComparer.OrdinalIgnoreCase), new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase),
        new SidecarOptions { AppId = "app" }, engine, NullLoggerFactory.Instance, engine.Time);

    public static Task<Engine> EngineAsync(TemporaryFolder folder, TimeProvider? time = null) =>
        Engine.OpenAsync(new EngineOptions { DataDirectory = folder.Path, Time = time ?? TimeProvider.System });
}
