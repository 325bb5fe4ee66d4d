using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using DaprPlatform.ServiceDefaults.Rpc;
using Grpc.Core;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.ServiceDefaults.Problems;

/// <summary>Writes every failure of an HTTP request as <c>application/problem+json</c>.</summary>
internal sealed partial class ProblemWriter(ILogger<ProblemWriter> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is OperationCanceledException && context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return true;
        }
        await WriteAsync(context, Translate(exception));
        return true;
    }

    public static Task WriteStatusAsync(HttpContext context) => WriteAsync(context, ForStatus(context.Response.StatusCode));

    public static async Task WriteAsync(HttpContext context, ProblemException problem)
    {
        var response = context.Response;
        if (response.HasStarted)
            return;
        response.StatusCode = problem.Status;
        response.ContentType = "application/problem+json";
        response.Headers.CacheControl = "no-store";
        if (problem.RetryAfterSeconds is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        await using var writer = new Utf8JsonWriter(response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteString("type", "urn:problem:" + problem.Code);
        writer.WriteString("title", problem.Title);
        writer.WriteNumber("status", problem.Status);
        if (problem.Detail is not null)
            writer.WriteString("detail", problem.Detail);
        writer.WriteString("instance", context.Request.Path.Value);
        writer.WriteString("code", problem.Code);
        writer.WriteString("traceId", Activity.Current?.TraceId.ToHexString() ?? context.TraceIdentifier);
        foreach (var (name, value) in problem.Extensions)
            writer.WriteString(name, value);
        if (problem.Errors.Count > 0)
        {
            writer.WriteStartObject("errors");
            foreach (var (field, messages) in problem.Errors)
            {
                writer.WriteStartArray(field);
                foreach (var message in messages)
                    writer.WriteStringValue(message);
                writer.WriteEndArray();
            }
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    private ProblemException Translate(Exception exception)
    {
        switch (exception)
        {
            case ProblemException problem:
                return problem;
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                return ForStatus(StatusCodes.Status413PayloadTooLarge);
            case BadHttpRequestException bad when bad.InnerException is JsonException json:
                return new ProblemException(bad.StatusCode, "malformed-json", "The body is not the JSON expected", Describe(json), bad);
            case BadHttpRequestException bad:
                return new ProblemException(bad.StatusCode, CodeOf(bad.StatusCode), TitleOf(bad.StatusCode), bad.Message, bad);
            case RpcException rpc:
                var translated = RpcProblems.FromRpc(rpc);
                if (translated.Status >= 500)
                    LogDependency(logger, rpc.StatusCode, rpc.Status.Detail);
                return translated;
            default:
                if (Faults.IsTransient(exception))
                {
                    LogTransient(logger, exception);
                    return Refusals.Unavailable("A dependency", exception);
                }
                LogUnexpected(logger, exception);
                return ForStatus(StatusCodes.Status500InternalServerError);
        }
    }

    // The path and place are the caller's own; the rest of the message names types of ours.
    private static string Describe(JsonException json) =>
        json.Path is { Length: > 0 } path
            ? string.Create(CultureInfo.InvariantCulture, $"The value at {path} is not of the expected form (line {json.LineNumber + 1}).")
            : "The body is not valid JSON.";

    private static ProblemException ForStatus(int status) => new(status, CodeOf(status), TitleOf(status));

    internal static string CodeOf(int status) => status switch
    {
        400 => "bad-request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not-found",
        405 => "method-not-allowed",
        413 => "body-too-large",
        415 => "unsupported-media-type",
        429 => "too-many-requests",
        >= 500 => "internal",
        _ => "http-" + status.ToString(CultureInfo.InvariantCulture),
    };

    private static string TitleOf(int status) => status switch
    {
        400 => "The request is invalid",
        401 => "Not authenticated",
        403 => "Not allowed",
        404 => "Not found",
        405 => "The method is not allowed here",
        413 => "The body is too large",
        415 => "The content type is not supported",
        429 => "Too many requests",
        >= 500 => "The service failed",
        _ => "The request failed",
    };

    [LoggerMessage(1, LogLevel.Error, "Unexpected failure of a request")]
    private static partial void LogUnexpected(ILogger logger, Exception exception);

    [LoggerMessage(2, LogLevel.Warning, "A called service answered {Code}: {Detail}")]
    private static partial void LogDependency(ILogger logger, StatusCode code, string detail);

    [LoggerMessage(3, LogLevel.Warning, "A dependency failed; the caller is told to try again")]
    private static partial void LogTransient(ILogger logger, Exception exception);
}
