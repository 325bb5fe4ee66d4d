using System.Globalization;
using DaprPlatform.Contracts.Common;
using DaprPlatform.ServiceDefaults.Problems;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace DaprPlatform.ServiceDefaults.Rpc;

/// <summary>
/// Carries a <see cref="ProblemException"/> across a gRPC call: a fitting status, all of it in the trailer <c>problem-bin</c> for services of ours, and what any
/// client can read of it as a rich status in <c>grpc-status-details-bin</c> (https://grpc.io/docs/guides/error/#richer-error-model).
/// </summary>
public static class RpcProblems
{
    private const string Trailer = "problem-bin";
    private const string RetryAfter = "retryAfterSeconds";
    private const string RichTrailer = "grpc-status-details-bin";
    private const string Domain = "daprplatform";

    public static RpcException ToRpc(ProblemException problem)
    {
        var message = new Problem { Code = problem.Code, Title = problem.Title, Detail = problem.Detail ?? "", HttpStatus = problem.Status };
        foreach (var (name, value) in problem.Extensions)
            message.Extensions[name] = value;
        if (problem.RetryAfterSeconds is { } seconds)
            message.Extensions[RetryAfter] = seconds.ToString(CultureInfo.InvariantCulture);
        foreach (var (field, messages) in problem.Errors)
        {
            var error = new FieldError { Field = field };
            error.Messages.AddRange(messages);
            message.Errors.Add(error);
        }
        return new RpcException(new Grpc.Core.Status(CodeOf(problem.Status), problem.Message), new Metadata
        {
            { Trailer, message.ToByteArray() },
            { RichTrailer, RichStatus(problem).ToByteArray() },
        });
    }

    private static Google.Rpc.Status RichStatus(ProblemException problem)
    {
        var status = new Google.Rpc.Status { Code = (int)CodeOf(problem.Status), Message = problem.Message };
        var info = new ErrorInfo { Reason = problem.Code, Domain = Domain };
        foreach (var (name, value) in problem.Extensions)
            info.Metadata[name] = value;
        status.Details.Add(Any.Pack(info));
        if (problem.RetryAfterSeconds is { } seconds)
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds)) }));
        if (problem.Errors.Count > 0)
        {
            var request = new BadRequest();
            foreach (var (field, messages) in problem.Errors)
                request.FieldViolations.AddRange(messages.Select(m => new BadRequest.Types.FieldViolation { Field = field, Description = m }));
            status.Details.Add(Any.Pack(request));
        }
        return status;
    }

    /// <summary>The problem the service sent, or for a failure on the way one that says so.</summary>
    public static ProblemException FromRpc(RpcException exception)
    {
        if (TryRead(exception, out var problem))
            return problem;
        return exception.StatusCode switch
        {
            StatusCode.Unauthenticated => Refusals.Unauthorized("unauthorized", "The access token is missing or not valid."),
            StatusCode.PermissionDenied => Refusals.Forbidden("The caller may not do this."),
            StatusCode.ResourceExhausted => new ProblemException(413, "body-too-large", "The body is too large", null, exception),
            StatusCode.DeadlineExceeded => new ProblemException(504, "timeout", "A service did not answer in time", null, exception),
            // A sidecar that cannot find the app answers Unknown.
            StatusCode.Unavailable or StatusCode.Unknown or StatusCode.Cancelled => Refusals.Unavailable("A service", exception),
            _ => new ProblemException(502, "bad-gateway", "A service failed", null, exception),
        };
    }

    /// <summary>Whether the service itself refused, rather than the way to it failing.</summary>
    public static bool TryRead(RpcException exception, out ProblemException problem)
    {
        problem = null!;
        if (exception.Trailers.GetValueBytes(Trailer) is not { } bytes)
            return false;
        Problem message;
        try
        {
            message = Problem.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
        int? retryAfter = message.Extensions.Remove(RetryAfter, out var text) && int.TryParse(text, CultureInfo.InvariantCulture, out var seconds) ? seconds : null;
        problem = new ProblemException(message.HttpStatus, message.Code, message.Title, message.Detail.Length == 0 ? null : message.Detail, exception)
        {
            RetryAfterSeconds = retryAfter,
            Extensions = new Dictionary<string, string>(message.Extensions),
            Errors = message.Errors.ToDictionary(e => e.Field, e => e.Messages.ToArray()),
        };
        return true;
    }

    private static StatusCode CodeOf(int status) => status switch
    {
        401 => StatusCode.Unauthenticated,
        403 => StatusCode.PermissionDenied,
        404 => StatusCode.NotFound,
        409 or 402 or 412 or 428 => StatusCode.FailedPrecondition,
        429 => StatusCode.ResourceExhausted,
        503 => StatusCode.Unavailable,
        >= 500 => StatusCode.Internal,
        _ => StatusCode.InvalidArgument,
    };
}

internal static class MapExtensions
{
    public static bool Remove(this Google.Protobuf.Collections.MapField<string, string> map, string key, out string? value) =>
        map.TryGetValue(key, out value) && map.Remove(key);
}
