using System.Globalization;
using System.Net;
using System.Net.Sockets;
using DaprPlatform.Cli.Control;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>One door of the console: the pages and the API on a port, or the API alone on the control socket.</summary>
internal sealed class ConsoleServer : IAsyncDisposable
{
    public const int DefaultPort = 1337;
    private const int LargestBody = 8 << 20;

    private readonly WebApplication _app;

    private ConsoleServer(WebApplication app, string? url) => (_app, Url) = (app, url);

    /// <summary>Null for the socket.</summary>
    public string? Url { get; }

    /// <summary>Where processes of this machine send spans.</summary>
    public string? CollectorUrl { get; private init; }

    public WebApplication App => _app;

    /// <summary>Null when the port is taken: a stack without its console is better than none. The problem is among the stack's events.</summary>
    /// <exception cref="CommandException">It shall listen elsewhere than on this machine alone, and nobody can sign in.</exception>
    public static async Task<ConsoleServer?> StartAsync(ConsoleSystem system, ConsoleDoor door, int port, CancellationToken cancel)
    {
        if (!door.Loopback && !system.Accounts.Any)
            throw new CommandException($"The console does not listen on {door.Address} while nobody can sign in: ./platform console user add NAME --role admin");
        var app = Build(system, door, kestrel => kestrel.Listen(door.Address, port));
        // Not a terminal step: endpoints run behind everything that is added here.
        app.Use(next => context => context.GetEndpoint() is null ? system.Pages.AnswerAsync(context) : next(context));
        try
        {
            await app.StartAsync(cancel);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await app.DisposeAsync();
            system.Stack.Events.Add(EventKind.Problem, $"the console is not served: {e.Message}");
            return null;
        }

        var bound = new Uri(app.Urls.First()).Port;
        return new ConsoleServer(app, string.Create(CultureInfo.InvariantCulture, $"http://{(door.Loopback ? "localhost" : door.HostName ?? Literal(door.Address))}:{bound}"))
        {
            CollectorUrl = string.Create(CultureInfo.InvariantCulture, $"http://{(door.Address.Equals(IPAddress.Any) ? "127.0.0.1" : door.Address.Equals(IPAddress.IPv6Any) ? "[::1]" : Literal(door.Address))}:{bound}"),
        };

        static string Literal(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
    }

    public static async Task<ConsoleServer> StartOnSocketAsync(ConsoleSystem system, string socket, CancellationToken cancel)
    {
        File.Delete(socket);
        var app = Build(system, ConsoleDoor.Socket, kestrel => kestrel.ListenUnixSocket(socket));
        await app.StartAsync(cancel);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(socket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return new ConsoleServer(app, null);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    internal static WebApplication Build(ConsoleSystem system, ConsoleDoor door, Action<KestrelServerOptions> listen, Action<IServiceCollection>? more = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestBody;
            listen(kestrel);
        });
        builder.Logging.ClearProviders();
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(system);
        builder.Services.AddSingleton(door);
        builder.Services.ConfigureHttpJsonOptions(json => ConsoleJson.Apply(json.SerializerOptions));
        // A value that cannot be read is the caller's mistake; the gate says so.
        builder.Services.Configure<Microsoft.AspNetCore.Routing.RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        more?.Invoke(builder.Services);
        var app = builder.Build();
        app.UseRouting();
        var gate = new ConsoleGate(system, door);
        app.Use(next => context => gate.RunAsync(context, next));
        ConsoleApi.Map(app, system);
        // The document of the API is made from what is registered here, before anything is started.
        app.UseEndpoints(static _ => { });
        ConsoleApi.Verify(app);
        return app;
    }
}
