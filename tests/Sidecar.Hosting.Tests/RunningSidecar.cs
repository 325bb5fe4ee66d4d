using System.Net;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>A sidecar in this process on ports of its own, with the resources of a folder.</summary>
internal sealed class RunningSidecar : IAsyncDisposable
{
    /// <summary>For whatever is waited for: far more than it takes on a slow machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false });
    private readonly Engine _engine;
    private readonly bool _ownsEngine;

    private RunningSidecar(DirectoryInfo folder, Engine engine, bool ownsEngine, DaprSidecar sidecar)
    {
        Folder = folder;
        _engine = engine;
        _ownsEngine = ownsEngine;
        Sidecar = sidecar;
        _http.BaseAddress = new Uri($"http://127.0.0.1:{sidecar.Options.HttpPort}");
        _http.Timeout = Patience;
    }

    public DirectoryInfo Folder { get; }

    public DaprSidecar Sidecar { get; }

    /// <param name="resources">Texts of YAML; $DIR is the sidecar's folder.</param>
    /// <param name="configuration">spec of the Configuration.</param>
    /// <param name="beside">A sidecar on whose engine it is, and which outlives it; null: it has its own.</param>
    /// <param name="loggers">Null logs nothing.</param>
    public static async Task<RunningSidecar> StartAsync(IEnumerable<string> resources, int? appPort = null, string? configuration = null, Func<SidecarOptions, SidecarOptions>? change = null, RunningSidecar? beside = null,
        ILoggerFactory? loggers = null)
    {
        var folder = Directory.CreateTempSubdirectory("host-");
        var path = folder.CreateSubdirectory("resources").FullName;
        foreach (var (text, i) in resources.Select((t, i) => (t, i)))
            await File.WriteAllTextAsync(Path.Combine(path, $"r{i}.yaml"), text.Replace("$DIR", folder.FullName, StringComparison.Ordinal));
        var config = Path.Combine(folder.FullName, "config.yaml");
        if (configuration is not null)
            await File.WriteAllTextAsync(config, $"apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata:\n  name: c\nspec:\n  {configuration.ReplaceLineEndings("\n  ")}\n");
        var engine = beside?._engine ?? await Engine.OpenAsync(new EngineOptions { DataDirectory = Path.Combine(folder.FullName, "data") });
        var options = new SidecarOptions
        {
            AppId = "hosted",
            AppPort = appPort,
            HttpPort = DaprSidecar.FreePort(),
            GrpcPort = DaprSidecar.FreePort(),
            MetricsPort = DaprSidecar.FreePort(),
            ListenAddresses = ["127.0.0.1"],
            MetricsListenAddress = "127.0.0.1",
            InternalGrpcListenAddress = "127.0.0.1",
            ResourcesPaths = [path],
            ConfigPaths = configuration is null ? [] : [config],
        };
        var sidecar = new DaprSidecar(engine, change is null ? options : change(options), loggers ?? NullLoggerFactory.Instance);
        await sidecar.StartAsync();
        await sidecar.WaitUntilHealthyAsync().WaitAsync(Patience);
        return new RunningSidecar(folder, engine, beside is null, sidecar);
    }

    public static string Component(string name, string type, params (string Name, string Value)[] metadata) =>
        $"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\nspec:\n  type: {type}\n  version: v1\n  metadata:{(metadata.Length == 0 ? " []" : "")}\n"
        + string.Concat(metadata.Select(m => $"  - name: {m.Name}\n    value: '{m.Value}'\n"));

    /// <summary>Adds or replaces a resource while the sidecar runs.</summary>
    public void Write(string name, string text)
    {
        var file = Path.Combine(Folder.FullName, "resources", name);
        File.WriteAllText(file + ".new", text.Replace("$DIR", Folder.FullName, StringComparison.Ordinal));
        File.Move(file + ".new", file, overwrite: true);
    }

    public void Delete(string name) => File.Delete(Path.Combine(Folder.FullName, "resources", name));

    public async Task<(HttpStatusCode Status, string Text)> SendAsync(string method, string path, string? body = null, string contentType = "application/json", params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, contentType) };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await _http.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public async Task<string> MetricsAsync()
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(new Uri($"http://127.0.0.1:{Sidecar.Options.MetricsPort}/"));
    }

    /// <summary>Until a condition holds, looked at again and again.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        for (var start = TimeProvider.System.GetTimestamp(); !await condition();)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Patience, $"never: {what}");
            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Sidecar.DisposeAsync();
        if (_ownsEngine)
            await _engine.DisposeAsync();
        _http.Dispose();
        Folder.Delete(recursive: true);
    }
}
