using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.OpsConsole;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.OpsConsole.Tests;

/// <summary>A console on a port of its own, over a stack of two sidecars that are not there.</summary>
internal sealed class ConsoleWorld : IAsyncDisposable
{
    public const string Password = "correct-horse-battery";
    private readonly string _folder;
    private readonly ConsoleServer _server;

    private ConsoleWorld(string folder, ConsoleSystem system, ConsoleServer server)
    {
        (_folder, System, _server) = (folder, system, server);
        Http = Client();
    }

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ConsoleSystem System { get; }

    public ConsoleServer Server => _server;

    public string Root => _folder;

    public DataFolder Data => System.Data;

    public HttpClient Http { get; }

    public string Origin => $"http://127.0.0.1:{new Uri(_server.Url!).Port}";

    public static async Task<ConsoleWorld> StartAsync(Action<DataFolder>? prepare = null, TimeProvider? time = null)
    {
        var folder = Directory.CreateTempSubdirectory("console-test-").FullName;
        var path = Path.Combine(folder, "dapr.yaml");
        await File.WriteAllTextAsync(path, string.Create(CultureInfo.InvariantCulture, $"""
            version: 1
            apps:
              - appID: alpha
                appDirPath: .
                daprHTTPPort: {PortOwners.FindFree()}
                daprGRPCPort: {PortOwners.FindFree()}
              - appID: beta
                appDirPath: .
                daprHTTPPort: {PortOwners.FindFree()}
                daprGRPCPort: {PortOwners.FindFree()}
            """), Cancel);
        var data = new DataFolder(Path.Combine(folder, "data"));
        Directory.CreateDirectory(data.Logs);
        prepare?.Invoke(data);
        var file = RunFileReader.Read(path, 0);
        var repository = new Repository(folder);
        var stack = new Stack(repository, file, data, new NoSidecars(), time ?? TimeProvider.System);
        var system = ConsoleSystem.Open(repository, file, data, stack, time ?? TimeProvider.System);
        var server = await ConsoleServer.StartAsync(system, new ConsoleDoor(false, IPAddress.Loopback, "console.example"), 0, Cancel);
        return new ConsoleWorld(folder, system, server!);
    }

    public HttpClient Client() => new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = new Uri(Origin), Timeout = TimeSpan.FromMinutes(2) };

    public static HttpRequestMessage Change(HttpMethod method, string path, object? body = null)
    {
        var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        request.Headers.Add("X-Console", "1");
        return request;
    }

    /// <summary>The cookie of somebody who has signed in.</summary>
    public async Task<string> SignInAsync(string name, string password = Password)
    {
        using var response = await Http.SendAsync(Change(HttpMethod.Post, "/api/v1/session", new { name, password }), Cancel);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        return response.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _server.DisposeAsync();
        await System.DisposeAsync();
        await System.Stack.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private sealed class NoSidecars : ISidecarHost
    {
        public Task<IAppSidecar> StartAsync(RunApp app, CancellationToken cancel) => Task.FromResult<IAppSidecar>(new Sidecar());

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private sealed class Sidecar : IAppSidecar
        {
            private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

            public bool IsHealthy => true;

            public IReadOnlyList<SidecarComponent> Components => [];

            public Task ShutdownRequested => _ended.Task;

            public Task WaitUntilHealthyAsync(CancellationToken cancel) => Task.CompletedTask;

            public Task StopAsync(TimeSpan grace) => Task.CompletedTask;
        }
    }
}
