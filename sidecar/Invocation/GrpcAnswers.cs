using System.Text;
using DaprPlatform.Sidecar.Http;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>Answers of one protocol for callers of the other.</summary>
internal static class GrpcAnswers
{
    private const int ShownBody = 64;
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithTypeRegistry(TypeRegistry.FromFiles(ErrorDetailsReflection.Descriptor)));

    /// <summary>A gRPC app's answer as HTTP.</summary>
    public static async Task WriteAsync(HttpContext http, GrpcInvocationResponse answer)
    {
        var response = http.Response;
        foreach (var entry in answer.Headers)
        {
            if (!entry.Key.Equals("content-type", StringComparison.OrdinalIgnoreCase) && !entry.Key.StartsWith("grpc-", StringComparison.Ordinal))
                response.Headers.Append(entry.Key, entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes) : entry.Value);
        }

        var body = answer.Data;
        if (answer.Status.StatusCode == StatusCode.OK)
        {
            if (answer.ContentType.Length > 0)
                response.ContentType = answer.ContentType;
            else if (!body.IsEmpty)
                response.ContentType = ContentSniffing.Detect(body.Span);
        }
        else
        {
            response.StatusCode = HttpStatus(answer.Status.StatusCode);
            response.ContentType = "text/plain; charset=utf-8";
            body = Encoding.UTF8.GetBytes(Json(answer));
        }

        response.ContentLength = body.Length;
        await response.BodyWriter.WriteAsync(body, http.RequestAborted).ConfigureAwait(false);
    }

    public static int HttpStatus(StatusCode code) => code switch
    {
        StatusCode.OK => 200,
        StatusCode.Cancelled => 408,
        StatusCode.InvalidArgument or StatusCode.FailedPrecondition or StatusCode.OutOfRange => 400,
        StatusCode.NotFound => 404,
        StatusCode.AlreadyExists or StatusCode.Aborted => 409,
        StatusCode.PermissionDenied => 403,
        StatusCode.Unauthenticated => 401,
        StatusCode.ResourceExhausted => 429,
        StatusCode.Unimplemented => 501,
        StatusCode.Unavailable => 503,
        StatusCode.DeadlineExceeded => 504,
        _ => 500,
    };

    /// <summary>An HTTP app's refusal for a gRPC caller; null when it is none.</summary>
    /// <param name="body">The beginning of it is told.</param>
    public static RpcException? Failure(int status, ReadOnlySpan<byte> body)
    {
        if (status is >= 200 and < 300)
            return null;
        var code = status switch
        {
            400 => StatusCode.Internal,
            401 => StatusCode.Unauthenticated,
            403 => StatusCode.PermissionDenied,
            404 => StatusCode.NotFound,
            409 => StatusCode.AlreadyExists,
            429 => StatusCode.ResourceExhausted,
            501 => StatusCode.Unimplemented,
            503 => StatusCode.Unavailable,
            504 => StatusCode.DeadlineExceeded,
            _ => StatusCode.Unknown,
        };
        // Go has no name for 499, the nginx way of saying that the caller left.
        var reason = status == 499 ? "" : ReasonPhrases.GetReasonPhrase(status);
        var info = ApiException.Info(reason, ("http.code", status.ToString(System.Globalization.CultureInfo.InvariantCulture)), ("http.error_message", Encoding.UTF8.GetString(body[..Math.Min(body.Length, ShownBody)])));
        return new ApiException(status, code, reason, reason, info).ToRpcException();
    }

    private static string Json(GrpcInvocationResponse answer)
    {
        var status = new Google.Rpc.Status { Code = (int)answer.Status.StatusCode, Message = answer.Status.Detail };
        if (answer.Details is { } details)
        {
            try
            {
                status = Google.Rpc.Status.Parser.ParseFrom(details);
                return Formatter.Format(status);
            }
            catch (InvalidOperationException)
            {
                // A detail of a type that is not known here cannot be shown as JSON.
                status.Details.Clear();
            }
            catch (InvalidProtocolBufferException)
            {
                // An app's own idea of details.
            }
        }

        return Formatter.Format(status);
    }
}
