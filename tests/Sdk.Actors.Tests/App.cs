using System.Net;
using System.Text;
using Dapr.Actors.Client;
using Dapr.Actors.Communication;
using Dapr.Actors.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Sdk.Actors.Tests;

/// <summary>An app with actors, its stand-in sidecar, and time that stands still.</summary>
internal sealed class App : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpMessageInvoker _invoker;

    private App(WebApplication app, StandInSidecar sidecar, StoppedTime time)
    {
        _app = app;
        Sidecar = sidecar;
        Time = time;
        Http = app.GetTestClient();
        _invoker = new HttpMessageInvoker(app.GetTestServer().CreateHandler());
        sidecar.App = _invoker;
    }

    public StandInSidecar Sidecar { get; }

    public StoppedTime Time { get; }

    /// <summary>To the app, as the sidecar calls it.</summary>
    public HttpClient Http { get; }

    public IServiceProvider Services => _app.Services;

    public IActorProxyFactory Proxies => Services.GetRequiredService<IActorProxyFactory>();

    public static async Task<App> StartAsync(
        Action<ActorRuntimeOptions> configure,
        Action<IServiceCollection>? services = null,
        Action<WebApplication>? map = null)
    {
        var time = new StoppedTime();
        var sidecar = new StandInSidecar(time);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddSingleton(new SidecarTransport(sidecar));
        builder.Services.AddActors(configure);
        services?.Invoke(builder.Services);
        var app = builder.Build();
        app.MapActorsHandlers();
        map?.Invoke(app);
        await app.StartAsync();
        return new App(app, sidecar, time);
    }

    public async Task<HttpResponseMessage> PutAsync(string path, string body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await Http.SendAsync(request, TestContext.Current.CancellationToken);
    }

    public async Task DeactivateAsync(string type, string id) =>
        Assert.Equal(HttpStatusCode.OK, (await Http.DeleteAsync($"/actors/{type}/{id}", TestContext.Current.CancellationToken)).StatusCode);

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        _invoker.Dispose();
        await _app.DisposeAsync();
    }
}

internal sealed class StoppedTime : TimeProvider
{
    public DateTimeOffset Now { get; set; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => Now;
}
