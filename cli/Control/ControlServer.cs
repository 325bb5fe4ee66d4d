using System.Text.Json;
using System.Text.Json.Serialization;
using DaprPlatform.Cli.Supervision;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Cli.Control;

/// <summary>The control channel of a running platform: HTTP with JSON on a unix socket that only this account can open.</summary>
internal sealed class ControlServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ControlServer(WebApplication app) => _app = app;

    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        WriteIndented = false,
    };

    public static async Task<ControlServer> StartAsync(string socket, Stack stack, CancellationToken cancel)
    {
        File.Delete(socket);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(socket));
        builder.Logging.ClearProviders();
        builder.Services.AddRoutingCore();
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase)));
        var app = builder.Build();
        Map(app, stack);
        await app.StartAsync(cancel);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(socket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return new ControlServer(app);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private static void Map(IEndpointRouteBuilder routes, Stack stack)
    {
        routes.MapGet("/status", () => TypedResults.Json(stack.Status(), Json));
        routes.MapGet("/settled", async (CancellationToken cancel) => TypedResults.Json(await stack.WaitSettledAsync(cancel), Json));
        routes.MapGet("/events", async (HttpContext context) =>
        {
            context.Response.ContentType = "application/x-ndjson";
            await foreach (var item in stack.Events.ReadAsync(context.RequestAborted))
            {
                await JsonSerializer.SerializeAsync(context.Response.Body, item, Json, context.RequestAborted);
                await context.Response.Body.WriteAsync("\n"u8.ToArray(), context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        });
        routes.MapGet("/dlq", (bool? all) => TypedResults.Json(stack.DeadLetters?.List(all ?? false) ?? [], Json));
        routes.MapPost("/dlq/replay", async Task<IResult> ([FromBody] string[] ids, CancellationToken cancel) =>
        {
            try
            {
                return TypedResults.Json(stack.DeadLetters is { } box ? await box.ReplayAsync(ids, cancel) : 0, Json);
            }
            catch (CommandException e)
            {
                return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status404NotFound);
            }
        });
        routes.MapPost("/stop", () =>
        {
            stack.RequestStop();
            return TypedResults.Accepted((string?)null);
        });
        routes.MapPost("/apps/{app}/{verb}", async Task<IResult> (string app, string verb) =>
        {
            try
            {
                switch (verb)
                {
                    case "stop":
                        await stack.StopAppAsync(app);
                        break;
                    case "restart":
                        await stack.RestartAppAsync(app);
                        break;
                    default:
                        return TypedResults.NotFound();
                }

                return TypedResults.NoContent();
            }
            catch (CommandException e)
            {
                return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status404NotFound);
            }
        });
    }
}
