using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace Dapr.Common.Exceptions;

/// <summary>Reads what the sidecar said about a failure.</summary>
public static class DaprExceptionExtensions
{
    const string Trailer = "grpc-status-details-bin";

    /// <summary>False if the failure did not come from the sidecar, or came without details.</summary>
    public static bool TryGetExtendedErrorInfo(this DaprException exception, [NotNullWhen(true)] out DaprExtendedErrorInfo? daprExtendedErrorInfo)
    {
        daprExtendedErrorInfo = null;
        if (exception.InnerException is not RpcException { Trailers: { } trailers } || trailers.GetValueBytes(Trailer) is not { } bytes)
            return false;

        Google.Rpc.Status status;
        try
        {
            status = Google.Rpc.Status.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }

        daprExtendedErrorInfo = new DaprExtendedErrorInfo(status.Code, status.Message) { Details = [.. status.Details.Select(Parse)] };
        return true;
    }

    static DaprExtendedErrorDetail Parse(Any any)
    {
        try
        {
            return Any.GetTypeName(any.TypeUrl) switch
            {
                "google.rpc.RetryInfo" when any.Unpack<RetryInfo>() is var d => new DaprRetryInfoDetail { Delay = new DaprRetryDelay(d.RetryDelay?.Seconds ?? 0, d.RetryDelay?.Nanos ?? 0) },
                "google.rpc.DebugInfo" when any.Unpack<DebugInfo>() is var d => new DaprDebugInfoDetail([.. d.StackEntries], d.Detail),
                "google.rpc.QuotaFailure" when any.Unpack<QuotaFailure>() is var d =>
                    new DaprQuotaFailureDetail { Violations = [.. d.Violations.Select(v => new DaprQuotaFailureViolation(v.Subject, v.Description))] },
                "google.rpc.PreconditionFailure" when any.Unpack<PreconditionFailure>() is var d =>
                    new DaprPreconditionFailureDetail { Violations = [.. d.Violations.Select(v => new DaprPreconditionFailureViolation(v.Type, v.Subject, v.Description))] },
                "google.rpc.RequestInfo" when any.Unpack<RequestInfo>() is var d => new DaprRequestInfoDetail(d.RequestId, d.ServingData),
                "google.rpc.LocalizedMessage" when any.Unpack<LocalizedMessage>() is var d => new DaprLocalizedMessageDetail(d.Locale, d.Message),
                "google.rpc.BadRequest" when any.Unpack<BadRequest>() is var d =>
                    new DaprBadRequestDetail { FieldViolations = [.. d.FieldViolations.Select(v => new DaprBadRequestDetailFieldViolation(v.Field, v.Description))] },
                "google.rpc.ErrorInfo" when any.Unpack<ErrorInfo>() is var d => new DaprErrorInfoDetail(d.Reason, d.Domain, d.Metadata),
                "google.rpc.Help" when any.Unpack<Help>() is var d => new DaprHelpDetail { Links = [.. d.Links.Select(l => new DaprHelpDetailLink(l.Url, l.Description))] },
                "google.rpc.ResourceInfo" when any.Unpack<ResourceInfo>() is var d => new DaprResourceInfoDetail(d.ResourceType, d.ResourceName, d.Owner, d.Description),
                _ => new DaprUnknownDetail(any.TypeUrl),
            };
        }
        catch (InvalidProtocolBufferException)
        {
            return new DaprUnknownDetail(any.TypeUrl);
        }
    }
}
