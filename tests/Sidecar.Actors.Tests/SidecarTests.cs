using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Actors.Tests;

/// <summary>Whole sidecars of one engine, and apps that host actors.</summary>
public sealed class SidecarTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("actors-").FullName;
    private readonly HttpClient _http = new();
    private readonly List<IAsyncDisposable> _running = [];
    private Engine _engine = null!;

    public async ValueTask InitializeAsync()
    {
        var resources = Directory.CreateDirectory(Path.Combine(_folder, "resources")).FullName;
        await File.WriteAllTextAsync(Path.Combine(resources, "store.yaml"),
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: store\nspec:\n  type: state.in-memory\n  version: v1\n  metadata:\n  - name: actorStateStore\n    value: \"true\"\n");
        _engine = await OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var running in _running.AsEnumerable().Reverse())
            await running.DisposeAsync();
        await _engine.DisposeAsync();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Each_actor_has_one_home_whoever_is_asked_and_another_when_its_sidecar_leaves()
    {
        var (one, two) = (await App.StartAsync(_running), await App.StartAsync(_running));
        var (a, b) = (await StartAsync("a", one), await StartAsync("b", two));
        foreach (var id in Enumerable.Range(0, 20))
        {
            Assert.Equal(HttpStatusCode.OK, await CallAsync(a, $"{id}"));
            Assert.Equal(HttpStatusCode.OK, await CallAsync(b, $"{id}"));
        }

        var (here, there) = (one.Homes, two.Homes);
        Assert.Empty(here.Intersect(there));
        Assert.Equal(20, here.Count + there.Count);
        Assert.NotEmpty(there);

        await b.StopAsync(Calls.Cancelled);
        Assert.Equal(there.Order(), two.Deactivated.Order());
        foreach (var id in there)
            Assert.Equal(HttpStatusCode.OK, await CallAsync(a, id));
        Assert.Superset(there.ToHashSet(), one.Homes.ToHashSet());
        Assert.Empty(one.Deactivated);
    }

    [Fact]
    public async Task A_sidecar_that_comes_takes_its_share_after_they_were_deactivated_elsewhere()
    {
        var (one, two) = (await App.StartAsync(_running), await App.StartAsync(_running));
        var a = await StartAsync("a", one);
        var ids = Enumerable.Range(0, 20).Select(i => $"{i}").ToArray();
        foreach (var id in ids)
            await CallAsync(a, id);
        await StartAsync("b", two);
        foreach (var id in ids)
            Assert.Equal(HttpStatusCode.OK, await CallAsync(a, id));
        Assert.NotEmpty(two.Homes);
        Assert.Equal(two.Homes.Order(), one.Deactivated.Order());
    }

    [Fact]
    public async Task A_reminder_that_is_due_while_nobody_is_there_comes_after_the_restart()
    {
        var first = await App.StartAsync(_running);
        var a = await StartAsync("a", first);
        using var made = await _http.PostAsJsonAsync($"http://127.0.0.1:{a.Options.HttpPort}/v1.0/actors/Cart/1/reminders/wake", new { dueTime = "200ms", data = new { kept = true } }, Calls.Cancelled);
        Assert.Equal(HttpStatusCode.NoContent, made.StatusCode);
        await a.DisposeAsync();
        await _engine.DisposeAsync();

        _engine = await OpenAsync();
        var second = await App.StartAsync(_running);
        await StartAsync("a", second);
        var (path, body) = await second.ReminderAsync();
        Assert.Equal("/actors/Cart/1/method/remind/wake", path);
        Assert.Equal("""{"data":{"kept":true},"dueTime":"","period":""}""", body);
    }

    [Fact]
    public async Task A_reminder_reaches_its_actor_wherever_that_is()
    {
        var (one, two) = (await App.StartAsync(_running), await App.StartAsync(_running));
        var a = await StartAsync("a", one);
        await StartAsync("b", two);
        foreach (var id in Enumerable.Range(0, 10))
        {
            using var made = await _http.PostAsJsonAsync($"http://127.0.0.1:{a.Options.HttpPort}/v1.0/actors/Cart/{id}/reminders/wake", new { dueTime = "0s" }, Calls.Cancelled);
            await CallAsync(a, $"{id}");
        }

        // Each app tells the reminders of those actors only that were called there.
        await Task.WhenAll(TakeAsync(one), TakeAsync(two));

        static async Task TakeAsync(App app)
        {
            var paths = new List<string>();
            foreach (var _ in app.Homes)
                paths.Add((await app.ReminderAsync()).Path);
            Assert.Equal(app.Homes.Select(id => $"/actors/Cart/{id}/method/remind/wake").Order(), paths.Order());
        }
    }

    [Fact]
    public async Task The_gauge_of_reminders_says_how_many_a_hosted_type_has_after_a_restart_too()
    {
        var app = await App.StartAsync(_running);
        var a = await StartAsync("a", app, metrics: true);
        foreach (var id in Enumerable.Range(0, 3))
        {
            using var made = await _http.PostAsJsonAsync($"http://127.0.0.1:{a.Options.HttpPort}/v1.0/actors/Cart/{id}/reminders/wake", new { dueTime = "10h" }, Calls.Cancelled);
            Assert.Equal(HttpStatusCode.NoContent, made.StatusCode);
        }

        await GaugeAsync(a, 3);
        using var deleted = await _http.DeleteAsync($"http://127.0.0.1:{a.Options.HttpPort}/v1.0/actors/Cart/1/reminders/wake", Calls.Cancelled);
        await GaugeAsync(a, 2);
        await a.StopAsync(Calls.Cancelled);
        await GaugeAsync(await StartAsync("a", app, metrics: true), 2);
    }

    // A type counts as hosted some time after the sidecar is healthy.
    private async Task GaugeAsync(DaprSidecar sidecar, int reminders)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Calls.Cancelled);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            var text = await _http.GetStringAsync($"http://127.0.0.1:{sidecar.Options.MetricsPort}/metrics", limit.Token);
            if (text.Split('\n').Any(l => l.StartsWith("dapr_runtime_actor_reminders{", StringComparison.Ordinal) && l.Contains("\"Cart\"", StringComparison.Ordinal) && l.EndsWith($" {reminders}", StringComparison.Ordinal)))
                return;
            await pause.WaitForNextTickAsync(limit.Token);
        }
    }

    private Task<Engine> OpenAsync() => Engine.OpenAsync(new EngineOptions { DataDirectory = Path.Combine(_folder, "data") }, Calls.Cancelled);

    private async Task<DaprSidecar> StartAsync(string appId, App app, bool metrics = false)
    {
        var sidecar = new DaprSidecar(_engine, new SidecarOptions
        {
            AppId = appId, AppPort = app.Port, HttpPort = DaprSidecar.FreePort(), GrpcPort = DaprSidecar.FreePort(), EnableMetrics = metrics, MetricsPort = DaprSidecar.FreePort(), ListenAddresses = ["127.0.0.1"],
            ResourcesPaths = [Path.Combine(_folder, "resources")], PlacementHostAddress = "localhost:50005", SchedulerHostAddress = "localhost:50006",
        });
        _running.Add(sidecar);
        await sidecar.StartAsync(Calls.Cancelled);
        await sidecar.WaitUntilHealthyAsync(Calls.Cancelled);
        return sidecar;
    }

    private async Task<HttpStatusCode> CallAsync(DaprSidecar sidecar, string id)
    {
        using var answer = await _http.PutAsync(new Uri($"http://127.0.0.1:{sidecar.Options.HttpPort}/v1.0/actors/Cart/{id}/method/do"), null, Calls.Cancelled);
        return answer.StatusCode;
    }

    private sealed class App(WebApplication app) : IAsyncDisposable
    {
        private readonly ConcurrentDictionary<string, bool> _homes = new();
        private readonly ConcurrentQueue<string> _deactivated = new();
        private readonly Channel<(string, string)> _reminders = Channel.CreateUnbounded<(string, string)>();

        public int Port => new Uri(app.Urls.First()).Port;

        /// <summary>Actors that were called here.</summary>
        public IReadOnlyCollection<string> Homes => [.. _homes.Keys];

        public IReadOnlyCollection<string> Deactivated => [.. _deactivated];

        public static async Task<App> StartAsync(List<IAsyncDisposable> running)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            var web = builder.Build();
            var app = new App(web);
            web.Run(app.AnswerAsync);
            await web.StartAsync(Calls.Cancelled);
            running.Add(app);
            return app;
        }

        public async Task<(string Path, string Body)> ReminderAsync() => await _reminders.Reader.ReadAsync(Calls.Cancelled);

        public ValueTask DisposeAsync() => app.DisposeAsync();

        private async Task AnswerAsync(HttpContext context)
        {
            var path = context.Request.Path.Value!;
            if (path == "/dapr/config")
            {
                await context.Response.WriteAsJsonAsync(new { entities = new[] { "Cart" } });
                return;
            }

            if (!path.StartsWith("/actors/Cart/", StringComparison.Ordinal))
            {
                context.Response.StatusCode = 404;
                return;
            }

            var id = path.Split('/')[3];
            if (context.Request.Method == "DELETE")
                _deactivated.Enqueue(id);
            else if (path.EndsWith("/method/do", StringComparison.Ordinal))
                _homes[id] = true;
            else if (path.Contains("/remind/", StringComparison.Ordinal))
                await _reminders.Writer.WriteAsync((path, await new StreamReader(context.Request.Body).ReadToEndAsync()));
        }
    }
}
