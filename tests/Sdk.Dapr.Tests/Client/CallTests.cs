using System.Diagnostics;
using Dapr;
using Dapr.Common.Exceptions;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using Wire = Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sdk.Tests.Client;

/// <summary>What all calls have in common: headers, errors, cancellation.</summary>
public sealed class CallTests : SidecarTest
{
    [Fact]
    public async Task Every_call_carries_the_token_and_who_asks()
    {
        using var client = Sidecar.Client(b => b.UseDaprApiToken("secret"));
        await client.GetStateAsync<int>("s", "k");
        await client.SaveBulkStateAsync("s", [new Dapr.Client.SaveStateItem<int>("k", 1, null)]);
        await client.PublishEventAsync("p", "t");
        await client.GetMetadataAsync();
        Assert.All(Sidecar.Grpc, call =>
        {
            Assert.Equal("secret", call.Headers.GetValue("dapr-api-token"));
            Assert.StartsWith("dapr-sdk-dotnet/v", call.Headers.GetValue("user-agent"), StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Without_a_token_there_is_no_header_for_it()
    {
        await Client.GetStateAsync<int>("s", "k");
        Assert.Null(Assert.Single(Sidecar.Grpc).Headers.Get("dapr-api-token"));
    }

    [Fact]
    public async Task The_trace_goes_along_in_both_forms()
    {
        using var activity = new Activity("test").SetIdFormat(ActivityIdFormat.W3C);
        activity.TraceStateString = "vendor=1";
        activity.ActivityTraceFlags = ActivityTraceFlags.Recorded;
        activity.Start();

        await Client.GetStateAsync<int>("s", "k");

        var headers = Assert.Single(Sidecar.Grpc).Headers;
        Assert.Equal(activity.Id, Assert.Single(headers.GetAll("traceparent")).Value);
        Assert.Equal("vendor=1", headers.GetValue("tracestate"));
        Assert.Equal($"0000{activity.TraceId}01{activity.SpanId}0201", Convert.ToHexStringLower(headers.GetValueBytes("grpc-trace-bin")!));
    }

    [Fact]
    public async Task A_refusal_is_a_DaprException_around_the_status()
    {
        Sidecar.Refuse("PublishEvent", StatusCode.NotFound, "pubsub is not found");
        var e = await Assert.ThrowsAsync<DaprException>(() => Client.PublishEventAsync("p", "t", 1));
        Assert.Equal("Publish operation failed: the Dapr endpoint indicated a failure. See InnerException for details.", e.Message);
        var rpc = Assert.IsType<RpcException>(e.InnerException);
        Assert.Equal((StatusCode.NotFound, "pubsub is not found"), (rpc.StatusCode, rpc.Status.Detail));
        Assert.False(e.TryGetExtendedErrorInfo(out _));
    }

    [Fact]
    public async Task No_sidecar_is_a_DaprException_too()
    {
        using var client = new Dapr.Client.DaprClientBuilder().UseGrpcEndpoint("http://127.0.0.1:1").Build();
        var e = await Assert.ThrowsAsync<DaprException>(() => client.GetStateAsync<int>("s", "k"));
        Assert.Equal(StatusCode.Unavailable, Assert.IsType<RpcException>(e.InnerException).StatusCode);
    }

    [Fact]
    public async Task The_details_of_a_refusal_can_be_read()
    {
        var status = new Google.Rpc.Status { Code = 5, Message = "no such store" };
        status.Details.AddRange(((IMessage[])[
            new ErrorInfo { Reason = "DAPR_STATE_NOT_FOUND", Domain = "dapr.io", Metadata = { ["http.code"] = "404" } },
            new ResourceInfo { ResourceType = "state", ResourceName = "s", Owner = "app", Description = "none" },
            new BadRequest { FieldViolations = { new BadRequest.Types.FieldViolation { Field = "key", Description = "bad" } } },
            new RetryInfo { RetryDelay = Duration.FromTimeSpan(TimeSpan.FromSeconds(1.5)) },
            new Help { Links = { new Help.Types.Link { Url = "https://x", Description = "read" } } },
            new QuotaFailure { Violations = { new QuotaFailure.Types.Violation { Subject = "q", Description = "full" } } },
            new PreconditionFailure { Violations = { new PreconditionFailure.Types.Violation { Type = "t", Subject = "p", Description = "no" } } },
            new DebugInfo { StackEntries = { "a", "b" }, Detail = "d" },
            new RequestInfo { RequestId = "r", ServingData = "v" },
            new LocalizedMessage { Locale = "de", Message = "nein" },
        ]).Select(d => Any.Pack(d)));
        status.Details.Add(new Any { TypeUrl = "type.googleapis.com/x.Y" });
        Sidecar.Refuse("GetState", StatusCode.NotFound, trailers: new Metadata { { "grpc-status-details-bin", status.ToByteArray() } });

        var e = await Assert.ThrowsAsync<DaprException>(() => Client.GetStateAsync<int>("s", "k"));

        Assert.True(e.TryGetExtendedErrorInfo(out var info));
        Assert.Equal((5, "no such store"), (info.Code, info.Message));
        Assert.Equal(
            [
                DaprExtendedErrorType.ErrorInfo, DaprExtendedErrorType.ResourceInfo, DaprExtendedErrorType.BadRequest, DaprExtendedErrorType.RetryInfo, DaprExtendedErrorType.Help,
                DaprExtendedErrorType.QuotaFailure, DaprExtendedErrorType.PreconditionFailure, DaprExtendedErrorType.DebugInfo, DaprExtendedErrorType.RequestInfo,
                DaprExtendedErrorType.LocalizedMessage, DaprExtendedErrorType.Unknown,
            ],
            info.Details.Select(d => d.ErrorType));
        var error = Assert.IsType<DaprErrorInfoDetail>(info.Details[0]);
        Assert.Equal(("DAPR_STATE_NOT_FOUND", "dapr.io", "404"), (error.Reason, error.Domain, error.Metadata!["http.code"]));
        Assert.Equal(new DaprResourceInfoDetail("state", "s", "app", "none"), info.Details[1]);
        Assert.Equal([new DaprBadRequestDetailFieldViolation("key", "bad")], Assert.IsType<DaprBadRequestDetail>(info.Details[2]).FieldViolations);
        Assert.Equal(new DaprRetryDelay(1, 500_000_000), Assert.IsType<DaprRetryInfoDetail>(info.Details[3]).Delay);
    }

    [Fact]
    public async Task Details_that_cannot_be_read_are_no_details()
    {
        Sidecar.Refuse("GetState", StatusCode.Internal, trailers: new Metadata { { "grpc-status-details-bin", [0xff, 0xff] } });
        var e = await Assert.ThrowsAsync<DaprException>(() => Client.GetStateAsync<int>("s", "k"));
        Assert.False(e.TryGetExtendedErrorInfo(out _));
    }

    [Fact]
    public async Task A_cancelled_call_is_an_OperationCanceledException_and_is_cancelled_at_the_sidecar()
    {
        using var cancel = new CancellationTokenSource();
        var atSidecar = new TaskCompletionSource();
        Sidecar.Answer("GetState", async (_, context) =>
        {
            context.CancellationToken.Register(atSidecar.SetResult);
            await cancel.CancelAsync();
            await atSidecar.Task.WaitAsync(Token);
            return new Wire.GetStateResponse();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Client.GetStateAsync<int>("s", "k", cancellationToken: cancel.Token));
        await atSidecar.Task.WaitAsync(Token);
    }

    [Fact]
    public async Task A_token_cancelled_before_makes_no_call()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Client.SaveStateAsync("s", "k", 1, cancellationToken: new CancellationToken(canceled: true)));
        Assert.Empty(Sidecar.Grpc);
    }

    [Fact]
    public async Task Channel_options_of_the_app_are_used()
    {
        using var client = Sidecar.Client(b => b.UseGrpcChannelOptions(new GrpcChannelOptions { MaxReceiveMessageSize = 10 }));
        Sidecar.Answer("GetState", new Wire.GetStateResponse { Data = ByteString.CopyFrom(new byte[100]) });
        var e = await Assert.ThrowsAsync<DaprException>(() => client.GetStateAsync<int>("s", "k"));
        Assert.Equal(StatusCode.ResourceExhausted, Assert.IsType<RpcException>(e.InnerException).StatusCode);
    }

    [Fact]
    public void Addresses_must_be_http() =>
        Assert.Throws<InvalidOperationException>(() => new Dapr.Client.DaprClientBuilder().UseGrpcEndpoint("ftp://x").Build());
}
