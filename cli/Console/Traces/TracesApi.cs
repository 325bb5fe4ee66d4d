using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole.Traces;

/// <summary>Traces as they come in (OTLP by HTTP with protobuf, https://opentelemetry.io/docs/specs/otlp/) and as they are looked at.</summary>
internal static class TracesApi
{
    private const int LargestMessage = 16 << 20;
    private const string Protobuf = "application/x-protobuf";

    public static void Map(IEndpointRouteBuilder routes, IEndpointRouteBuilder api)
    {
        api.MapGet("/traces", List).RequireRole(ConsoleRole.Viewer).WithName("listTraces").WithSummary("Traces that are kept, the newest first.").WithTags("Traces").Produces<Page<TraceSummary>>();
        api.MapGet("/traces/{traceId}", Get).RequireRole(ConsoleRole.Viewer).WithName("getTrace").WithSummary("A trace with its spans, in the order of their beginnings.").WithTags("Traces").Produces<TraceView>().ProducesProblem(404);
        routes.MapPost("/v1/traces", ReceiveAsync).WithMetadata(new OwnToken()).ExcludeFromDescription();
    }

    private static IResult List(HttpContext context, string? service, string? text, string? order, double? minMs, bool? errors, string? before, int? limit)
    {
        var most = Page<TraceSummary>.Limit(limit);
        long? from = before is null ? null : long.TryParse(before, CultureInfo.InvariantCulture, out var number) ? number : throw ConsoleProblem.BadRequest("before is the next of an earlier page.");
        var filter = new TraceFilter(Given(service), Given(text), Given(order), minMs, errors == true);
        var (items, next) = context.Console().Traces.List(filter, from, most);
        return TypedResults.Ok(new Page<TraceSummary>(items, next?.ToString(CultureInfo.InvariantCulture)));

        static string? Given(string? value) => value is { Length: > 0 } ? value : null;
    }

    private static IResult Get(HttpContext context, string traceId) =>
        TypedResults.Ok(context.Console().Traces.Find(traceId.ToLowerInvariant()) ?? throw ConsoleProblem.NotFound($"There is no trace {traceId}, or no more."));

    private static async Task ReceiveAsync(HttpContext context, ConsoleDoor door, CancellationToken cancel)
    {
        var collector = context.Console().Collector;
        var (from, here) = (context.Connection.RemoteIpAddress, context.Connection.LocalIpAddress);
        if (!door.Local && (from is null || !(IPAddress.IsLoopback(from) || from.Equals(here))))
            throw new ConsoleProblem(StatusCodes.Status403Forbidden, "not-local", "Traces are taken from this machine alone.");
        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(context.Request.Headers[TraceCollector.TokenHeader].ToString()), Encoding.UTF8.GetBytes(collector.Token)))
            throw new ConsoleProblem(StatusCodes.Status401Unauthorized, "token", "Traces are taken from this stack's own processes alone.");
        if (context.Request.ContentType?.StartsWith(Protobuf, StringComparison.OrdinalIgnoreCase) != true)
            throw new ConsoleProblem(StatusCodes.Status415UnsupportedMediaType, "media-type", $"Traces come as {Protobuf}.");
        try
        {
            context.Console().Traces.Add(OtlpDecoding.Read(await BodyAsync(context.Request, cancel)));
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidDataException or ArgumentException)
        {
            throw ConsoleProblem.BadRequest($"That is no ExportTraceServiceRequest: {e.Message}");
        }

        // An empty ExportTraceServiceResponse: everything was taken.
        context.Response.ContentType = Protobuf;
        context.Response.ContentLength = 0;
    }

    private static async Task<byte[]> BodyAsync(HttpRequest request, CancellationToken cancel)
    {
        var body = request.Headers.ContentEncoding.ToString() switch
        {
            "" or "identity" => request.Body,
            "gzip" => new GZipStream(request.Body, CompressionMode.Decompress),
            var other => throw new ConsoleProblem(StatusCodes.Status415UnsupportedMediaType, "encoding", $"Content-Encoding {other} is not taken."),
        };
        using var buffer = new MemoryStream();
        var block = new byte[64 << 10];
        while (await body.ReadAsync(block, cancel) is > 0 and var read)
        {
            if (buffer.Length + read > LargestMessage)
                throw new ConsoleProblem(StatusCodes.Status413PayloadTooLarge, "too-large", $"A message has at most {LargestMessage} bytes.");
            buffer.Write(block, 0, read);
        }

        return buffer.ToArray();
    }
}
