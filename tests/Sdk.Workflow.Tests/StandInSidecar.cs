using System.Collections.Concurrent;
using System.Net;
using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using P = Dapr.DurableTask.Protobuf;

namespace Sdk.Workflow.Tests;

/// <summary>A sidecar that only does what a test tells it.</summary>
internal sealed class StandInSidecar : IAsyncDisposable
{
    private readonly WebApplication _app;

    private StandInSidecar(WebApplication app, TaskHub hub, string address)
    {
        _app = app;
        Hub = hub;
        Address = address;
    }

    public TaskHub Hub { get; }

    public string Address { get; }

    public int Port => new Uri(Address).Port;

    public static async Task<StandInSidecar> StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        var hub = new TaskHub();
        builder.Services.AddSingleton(hub);
        var app = builder.Build();
        app.MapGrpcService<TaskHub>();
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new StandInSidecar(app, hub, address);
    }

    public async ValueTask DisposeAsync()
    {
        Hub.DropStreams();
        await _app.DisposeAsync();
    }
}

internal sealed class TaskHub : P.TaskHubSidecarService.TaskHubSidecarServiceBase
{
    private readonly ConcurrentDictionary<int, CancellationTokenSource> _streams = new();
    private readonly Channel<P.WorkItem> _items = Channel.CreateUnbounded<P.WorkItem>();
    private readonly Channel<int> _connected = Channel.CreateUnbounded<int>();
    private readonly Channel<P.WorkflowResponse> _turns = Channel.CreateUnbounded<P.WorkflowResponse>();
    private readonly Channel<P.ActivityResponse> _activities = Channel.CreateUnbounded<P.ActivityResponse>();
    private readonly Channel<Metadata> _hellos = Channel.CreateUnbounded<Metadata>();
    private int _count;

    /// <summary>Runs before a completion is taken; throws to refuse it.</summary>
    public Action<int> OnCompletion { get; set; } = _ => { };

    public int Completions { get; private set; }

    public ConcurrentQueue<Google.Protobuf.IMessage> Requests { get; } = new();

    public Metadata? LastHeaders { get; private set; }

    public Func<P.GetInstanceRequest, int, P.GetInstanceResponse> OnGet { get; set; } = (_, _) => new P.GetInstanceResponse();

    /// <summary>Answers a wait for completion instead of <see cref="OnGet"/>.</summary>
    public Func<P.GetInstanceRequest, CancellationToken, Task<P.GetInstanceResponse>>? OnWait { get; set; }

    public P.GetInstanceHistoryResponse History { get; set; } = new();

    public void Send(P.WorkItem item) => _items.Writer.TryWrite(item);

    public void DropStreams()
    {
        foreach (var stream in _streams.Values)
            stream.Cancel();
    }

    public async Task<int> ConnectionAsync() => await _connected.Reader.ReadAsync(TestContext.Current.CancellationToken);

    public async Task<P.WorkflowResponse> TurnAsync() => await _turns.Reader.ReadAsync(TestContext.Current.CancellationToken);

    public async Task<P.ActivityResponse> ActivityAsync() => await _activities.Reader.ReadAsync(TestContext.Current.CancellationToken);

    public async Task<Metadata> HelloAsync() => await _hellos.Reader.ReadAsync(TestContext.Current.CancellationToken);

    public override async Task GetWorkItems(P.GetWorkItemsRequest request, IServerStreamWriter<P.WorkItem> responseStream, ServerCallContext context)
    {
        var number = Interlocked.Increment(ref _count);
        using var dropped = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        _streams[number] = dropped;
        LastHeaders = context.RequestHeaders;
        _connected.Writer.TryWrite(number);
        try
        {
            await foreach (var item in _items.Reader.ReadAllAsync(dropped.Token))
                await responseStream.WriteAsync(item);
        }
        catch (OperationCanceledException)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "going away"));
        }
        finally
        {
            _streams.TryRemove(number, out _);
        }
    }

    public override Task<P.CompleteTaskResponse> CompleteOrchestratorTask(P.WorkflowResponse request, ServerCallContext context) =>
        Complete(_turns, request);

    public override Task<P.CompleteTaskResponse> CompleteActivityTask(P.ActivityResponse request, ServerCallContext context) =>
        Complete(_activities, request);

    public override Task<Empty> Hello(Empty request, ServerCallContext context)
    {
        _hellos.Writer.TryWrite(context.RequestHeaders);
        return Task.FromResult(new Empty());
    }

    public override Task<P.GetInstanceHistoryResponse> GetInstanceHistory(P.GetInstanceHistoryRequest request, ServerCallContext context) =>
        Answer(request, context, History);

    public override Task<P.CreateInstanceResponse> StartInstance(P.CreateInstanceRequest request, ServerCallContext context) =>
        Answer(request, context, new P.CreateInstanceResponse { InstanceId = request.InstanceId });

    public override Task<P.GetInstanceResponse> GetInstance(P.GetInstanceRequest request, ServerCallContext context) => Get(request, context);

    public override Task<P.GetInstanceResponse> WaitForInstanceStart(P.GetInstanceRequest request, ServerCallContext context) => Get(request, context);

    public override Task<P.GetInstanceResponse> WaitForInstanceCompletion(P.GetInstanceRequest request, ServerCallContext context) =>
        OnWait is { } wait ? wait(request, context.CancellationToken) : Get(request, context);

    public override Task<P.RaiseEventResponse> RaiseEvent(P.RaiseEventRequest request, ServerCallContext context) => Answer(request, context, new P.RaiseEventResponse());

    public override Task<P.TerminateResponse> TerminateInstance(P.TerminateRequest request, ServerCallContext context) => Answer(request, context, new P.TerminateResponse());

    public override Task<P.SuspendResponse> SuspendInstance(P.SuspendRequest request, ServerCallContext context) => Answer(request, context, new P.SuspendResponse());

    public override Task<P.ResumeResponse> ResumeInstance(P.ResumeRequest request, ServerCallContext context) => Answer(request, context, new P.ResumeResponse());

    public override Task<P.PurgeInstancesResponse> PurgeInstances(P.PurgeInstancesRequest request, ServerCallContext context) =>
        Answer(request, context, new P.PurgeInstancesResponse { DeletedInstanceCount = request.InstanceId == "known" ? 1 : 0 });

    public override Task<P.ListInstanceIDsResponse> ListInstanceIDs(P.ListInstanceIDsRequest request, ServerCallContext context) =>
        Answer(request, context, new P.ListInstanceIDsResponse { InstanceIds = { "a", "b" }, ContinuationToken = "next" });

    public override Task<P.RerunWorkflowFromEventResponse> RerunWorkflowFromEvent(P.RerunWorkflowFromEventRequest request, ServerCallContext context) =>
        Answer(request, context, new P.RerunWorkflowFromEventResponse { NewInstanceID = "forked" });

    private Task<P.GetInstanceResponse> Get(P.GetInstanceRequest request, ServerCallContext context)
    {
        LastHeaders = context.RequestHeaders;
        Requests.Enqueue(request);
        return Task.FromResult(OnGet(request, Requests.Count));
    }

    private Task<T> Answer<T>(Google.Protobuf.IMessage request, ServerCallContext context, T response)
    {
        LastHeaders = context.RequestHeaders;
        Requests.Enqueue(request);
        return Task.FromResult(response);
    }

    private Task<P.CompleteTaskResponse> Complete<T>(Channel<T> answers, T answer)
    {
        lock (_items)
            OnCompletion(++Completions);
        answers.Writer.TryWrite(answer);
        return Task.FromResult(new P.CompleteTaskResponse());
    }
}
