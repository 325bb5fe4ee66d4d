using System.Globalization;
using System.Text;
using System.Text.Json;
using Dapr.DurableTask.Protobuf;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.State;
using Google.Protobuf.WellKnownTypes;
using Grpc.AspNetCore.Server;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>The workflow building block: the management API (https://docs.dapr.io/reference/api/workflow_api/) on the engine of this app.</summary>
internal sealed class WorkflowApi : IBuildingBlock, IMetadataSource, Actors.IActorTypeSource, IWorkflowPeers, IAsyncDisposable
{
    private const int LongestId = 64;
    // An engine that ends takes a moment until another sidecar can have it.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly SidecarRuntime _runtime;
    private readonly WorkflowSettings _settings;
    private readonly WorkflowHubs _hubs;
    private readonly HubKey _key;
    private readonly WorkerGroup _group;
    private volatile IWorkflowEngine? _engine;
    private int _workers;
    private bool _servesBuiltIn;
    private IStateStore? _store;
    private TaskCompletionSource _storeChanged = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public WorkflowApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _settings = WorkflowSettings.From(runtime.Configuration.Spec) with { MaxMessageSize = runtime.Options.MaxBodySize };
        _hubs = WorkflowHubs.Of(runtime.Engine);
        _key = HubKey.Of(runtime.Options);
        _store = ActorStateStore.Find(runtime);
        _group = new WorkerGroup(Guid.NewGuid().ToString("N"), _settings.MaxWorkflows, _settings.MaxActivities);
        var service = new TaskHubService(this);
        runtime.GrpcServices.Add(options => GrpcMethodTable.Create(service, options));
        var forPeers = new GrpcServiceOptions { MaxReceiveMessageSize = null, MaxSendMessageSize = null, EnableDetailedErrors = true };
        var internals = GrpcMethodTable.Combine(GrpcMethodTable.Create(new TaskHubForPeers(this), forPeers), GrpcMethodTable.Create(new WorkflowPeerService(this), forPeers));
        foreach (var path in internals.Paths)
        {
            if (internals.TryGet(path, out var handler))
                runtime.InternalRoutes[path] = handler;
        }
    }

    /// <summary>Workers connected to this sidecar.</summary>
    public int ConnectedWorkers => Volatile.Read(ref _workers);

    /// <summary>Serves one GetWorkItems call until the worker leaves, wherever the engine is meanwhile.</summary>
    /// <exception cref="HubMovedException">The sidecar shuts down.</exception>
    /// <exception cref="ApiException">No placement, or no actor state store.</exception>
    public async Task ServeWorkerAsync(bool takesTokens, bool keepsHistory, IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken)
    {
        ActorStateStore.RequirePlacement(_runtime);
        Interlocked.Increment(ref _workers);
        _runtime.Engine.Changes.Tell(Introspection.RuntimeAreas.Actors);
        try
        {
            await ServeAsync(new WorkerProfile(_group, takesTokens, keepsHistory), writer, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _workers);
            _runtime.Engine.Changes.Tell(Introspection.RuntimeAreas.Actors);
        }
    }

    /// <summary>Another store has the instances from now on, or none: the engine on the old one ends. Workers stay and wait for the next.</summary>
    public async Task ReloadedAsync(CancellationToken cancellationToken)
    {
        var store = ActorStateStore.Find(_runtime);
        if (ReferenceEquals(store, _store))
            return;
        _store = store;
        _engine = null;
        await _hubs.CloseAsync(_key, this).ConfigureAwait(false);
        Interlocked.Exchange(ref _storeChanged, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    /// <summary>Gives the work that is no app's to the sidecar itself, until it shuts down.</summary>
    /// <exception cref="HubMovedException">The sidecar shuts down.</exception>
    /// <exception cref="ApiException">No placement, or no actor state store.</exception>
    public async Task ServeBuiltInAsync(IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _servesBuiltIn, true);
        await ServeAsync(new WorkerProfile(new WorkerGroup(_group.Key + ".builtin", null, null), TakesTokens: true, IsBuiltIn: true), writer, cancellationToken).ConfigureAwait(false);
    }

    private async Task ServeAsync(WorkerProfile worker, IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var engine = await EngineOnceThereAsync(cancellationToken).ConfigureAwait(false);
                await engine.ServeWorkerAsync(worker, writer, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (HubMovedException) when (!_runtime.Stopping.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                await Task.Delay(Pause, _runtime.Time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Runs a call on the engine of this app, again where the engine has moved meanwhile.</summary>
    /// <param name="once">The call must not happen twice.</param>
    /// <exception cref="HubMovedException">The engine has moved and the call must not be repeated, or the sidecar shuts down.</exception>
    public Task<T> OnEngineAsync<T>(Func<IWorkflowEngine, Task<T>> work, bool once, CancellationToken cancellationToken) => OnEngineAsync(null, work, once, cancellationToken);

    /// <summary>Counts an operation of a client, by how it ends.</summary>
    /// <param name="operation">As the metrics name it; null: it is none that they count.</param>
    public async Task<T> CountedAsync<T>(string? operation, Task<T> work)
    {
        if (operation is null)
            return await work.ConfigureAwait(false);
        var start = _runtime.Time.GetTimestamp();
        var success = false;
        try
        {
            var result = await work.ConfigureAwait(false);
            success = true;
            return result;
        }
        finally
        {
            _runtime.Metrics.Workflow.Asked(operation, success, _runtime.Time.GetElapsedTime(start).TotalMilliseconds);
        }
    }

    // app: another one than this, whose policies decide; null: this one.
    private async Task<T> OnEngineAsync<T>(string? app, Func<IWorkflowEngine, Task<T>> work, bool once, CancellationToken cancellationToken)
    {
        while (true)
        {
            var engine = string.IsNullOrEmpty(app) || app == _key.AppId
                ? await EngineAsync(cancellationToken).ConfigureAwait(false)
                : await ((IWorkflowPeers)this).FindAsync(app, cancellationToken).ConfigureAwait(false) ?? throw new WorkflowException(WorkflowRefusal.NotFound, $"app '{app}' is not there or runs no workflows");
            try
            {
                return await work(engine).ConfigureAwait(false);
            }
            catch (HubMovedException e) when ((!once || !e.WasAsked) && !_runtime.Stopping.IsCancellationRequested)
            {
                await Task.Delay(Pause, _runtime.Time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Runs a call of a sidecar of another process, if the engine it means is here.</summary>
    public async Task<T> ForPeerAsync<T>(ServerCallContext context, Func<IWorkflowEngine, CancellationToken, Task<T>> work)
    {
        if (context.RequestHeaders.GetValue(EngineProtocol.Hub) != _key.Id || _hubs.Own(_key) is not WorkflowClient { IsGone: false } engine)
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, EngineProtocol.NotHere));
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, _runtime.Stopping);
        try
        {
            var caller = context.RequestHeaders.GetValue(EngineProtocol.Caller);
            return await work(caller is null ? engine : engine.For(new WorkflowCaller(caller, IsKnown: false)), ended.Token).ConfigureAwait(false);
        }
        catch (WorkflowException e)
        {
            throw new RpcException(new Grpc.Core.Status(EngineProtocol.CodeOf(e.Refusal), e.Message));
        }
        catch (Exception e) when (e is HubMovedException or OperationCanceledException)
        {
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "the workflow engine ends"));
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw new RpcException(new Grpc.Core.Status(EngineProtocol.Failed, e.Message));
        }
    }

    public void Describe(GetMetadataResponse metadata)
    {
        if (_runtime.Options.PlacementHostAddress.Length > 0 && ConnectedWorkers > 0)
            metadata.Workflows = new MetadataWorkflows { ConnectedWorkers = ConnectedWorkers };
    }

    /// <summary>The types that daprd runs workflows on.</summary>
    public IEnumerable<(string Type, int Count)> ActorTypes => _store is null || (ConnectedWorkers == 0 && !Volatile.Read(ref _servesBuiltIn)) ? []
        : new[] { "activity", "retentioner", "workflow" }.Select(kind => ($"dapr.internal.{_key.Namespace}.{_key.AppId}.{kind}", 0));

    /// <inheritdoc/>
    async ValueTask<IWorkflowEngine?> IWorkflowPeers.FindAsync(string appId, CancellationToken cancellationToken) =>
        await _hubs.FindAsync(HubKey.Of(_runtime.Options, appId), _key.AppId, cancellationToken).ConfigureAwait(false);

    private ValueTask<IWorkflowEngine> EngineAsync(CancellationToken cancellationToken) => _engine is { IsGone: false } engine ? new(engine) : FindEngineAsync(cancellationToken);

    private async ValueTask<IWorkflowEngine> EngineOnceThereAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = Volatile.Read(ref _storeChanged).Task;
            if (ActorStateStore.Find(_runtime) is not null)
                return await EngineAsync(cancellationToken).ConfigureAwait(false);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _runtime.Stopping);
            await changed.WaitAsync(ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            if (_runtime.Stopping.IsCancellationRequested)
                throw new HubMovedException();
        }
    }

    private async ValueTask<IWorkflowEngine> FindEngineAsync(CancellationToken cancellationToken)
    {
        ActorStateStore.RequirePlacement(_runtime);
        var store = ActorStateStore.Find(_runtime) ?? throw ApiException.Internal("ERR_ACTOR_RUNTIME_NOT_FOUND", ActorStateStore.Missing);
        if (_runtime.Stopping.IsCancellationRequested)
            throw new HubMovedException();
        var engine = await _hubs.OpenAsync(_key, this, Address(), () => new WorkflowHub(StorageOn(store), _key.AppId, _settings, _runtime.Time, _runtime.Loggers,
            new WorkflowTelemetry(_runtime.Tracing, _runtime.Metrics.Workflow), this)
        {
            Access = new WorkflowAccess(() => _runtime.WorkflowAccessPolicies, _runtime.Loggers.CreateLogger("dapr.runtime.workflow.accesspolicy")),
        }, cancellationToken).ConfigureAwait(false);
        _engine = engine;
        return engine;
    }

    // What stands in for a server in this process is durable in the engine's store anyway: there the instances have tables of their own.
    private IWorkflowStorage StorageOn(IStateStore store) => store is KeyValueStateStore { ServerAddress: var server } && !_runtime.Engine.Options.SharesStandIns
        ? new EngineWorkflowStorage(WorkflowTables.Of(_runtime.Engine), $"{server}|{_key.Namespace}|{_key.AppId}")
        : new WorkflowStorage(store, _key.AppId, _key.Namespace, _runtime.Loggers.CreateLogger("dapr.runtime.actor.target.workflow"));

    private Uri Address()
    {
        var host = _runtime.Options.InternalGrpcListenAddress is { Length: > 0 } given and not ("0.0.0.0" or "[::]" or "::" or "localhost") ? given : "127.0.0.1";
        return new UriBuilder("http", host, _runtime.Options.InternalGrpcPort).Uri;
    }

    public void MapHttp(Router router)
    {
        foreach (var version in new[] { "v1.0", "v1.0-beta1", "v1.0-alpha1" })
        {
            router.Map("workflows", version, "POST", "workflows/{component}/{name}/start", async context =>
            {
                var id = await StartAsync(context.Query("instanceID") ?? "", context["name"], await BodyAsync(context, "ERR_START_WORKFLOW").ConfigureAwait(false), null, context.Cancelled, context.Query("appID")).ConfigureAwait(false);
                await context.Bytes(JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["instanceID"] = id }, Json.Options), status: 202).ConfigureAwait(false);
            });
            router.Map("workflows", version, "GET", "workflows/{component}/{id}", async context =>
            {
                var state = await GetAsync(context["id"], context.Cancelled, context.Query("appID")).ConfigureAwait(false) ?? throw NotFound(context["id"]);
                await context.JsonOf(ToJson(state)).ConfigureAwait(false);
            });
            router.Map("workflows", version, "POST", "workflows/{component}/{id}/raiseEvent/{event}", async context =>
            {
                await RaiseAsync(context["id"], context["event"], await BodyAsync(context, "ERR_RAISE_EVENT_WORKFLOW").ConfigureAwait(false), context.Cancelled, context.Query("appID")).ConfigureAwait(false);
                await AcceptedAsync(context).ConfigureAwait(false);
            });
            Operation("terminate", TerminateAsync);
            Operation("pause", PauseAsync);
            Operation("resume", ResumeAsync);
            Operation("purge", PurgeAsync);

            void Operation(string name, Func<string, CancellationToken, string?, Task> run) => router.Map("workflows", version, "POST", $"workflows/{{component}}/{{id}}/{name}", async context =>
            {
                await RequireObjectAsync(context).ConfigureAwait(false);
                await run(context["id"], context.Cancelled, context.Query("appID")).ConfigureAwait(false);
                await AcceptedAsync(context).ConfigureAwait(false);
            });
        }
    }

    /// <summary>Starts an instance; an empty id is made up. Returns the id.</summary>
    public async Task<string> StartAsync(string id, string name, string? input, string? startTime, CancellationToken cancellationToken, string? app = null)
    {
        if (name.Length == 0)
            throw ApiException.BadRequest("ERR_WORKFLOW_NAME_MISSING", "workflow name is not configured");
        if (id.Length == 0)
            id = Guid.NewGuid().ToString();
        if (id.Length > LongestId)
            throw ApiException.BadRequest("ERR_INSTANCE_ID_TOO_LONG", $"workflow instance ID exceeds the max length of {LongestId} characters");
        if (id.EnumerateRunes().Any(r => !Rune.IsLetterOrDigit(r) && r.Value is not ('_' or '-')))
            throw ApiException.BadRequest("ERR_INSTANCE_ID_INVALID", $"workflow instance ID '{id}' is invalid: only alphanumeric and underscore characters are allowed");
        if ((string.IsNullOrEmpty(app) || app == _key.AppId) && BuiltInWork.Is(name) && !_runtime.Block<Mcp.McpApi>().Serves(name))
            throw ApiException.BadRequest("ERR_WORKFLOW_NAME_RESERVED", $"workflow name '{name}' is reserved: names that begin with '{Mcp.McpWorkflow.Prefix}' are those of loaded MCPServers");
        Timestamp? at = null;
        if (startTime is not null)
        {
            at = DateTimeOffset.TryParse(startTime, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) && startTime.Contains('T', StringComparison.Ordinal)
                ? Timestamp.FromDateTimeOffset(time)
                : throw ApiException.Internal("ERR_START_WORKFLOW", $"error starting workflow '{name}': start times must be in RFC3339 format (e.g. \"2009-11-10T23:00:00Z\")");
        }

        await RunAsync("ERR_START_WORKFLOW", $"error starting workflow '{name}': unable to start workflow: failed to start workflow", async engine =>
        {
            await engine.StartAsync(id, name, input, at, null, cancellationToken).ConfigureAwait(false);
            return true;
        }, cancellationToken, app, once: true).ConfigureAwait(false);
        return id;
    }

    /// <summary>Null when there is no such instance.</summary>
    public Task<WorkflowState?> GetAsync(string id, CancellationToken cancellationToken, string? app = null) =>
        RunAsync("ERR_GET_WORKFLOW", $"error while getting workflow info on instance '{id}': failed to get workflow metadata for '{id}': failed to fetch workflow metadata: failed to load workflow metadata", engine => engine.GetAsync(id, withPayloads: true, cancellationToken), cancellationToken, app);

    public Task RaiseAsync(string id, string name, string? data, CancellationToken cancellationToken, string? app = null) =>
        RunAsync("ERR_RAISE_EVENT_WORKFLOW", $"error raising event on workflow '{id}': failed to raise event {name} on workflow {id}: failed to raise event", engine => Done(engine.RaiseAsync(id, name, data, cancellationToken)), cancellationToken, app, once: true);

    /// <summary>Ends the instance and its children.</summary>
    public Task TerminateAsync(string id, CancellationToken cancellationToken) => TerminateAsync(id, cancellationToken, null);

    private Task TerminateAsync(string id, CancellationToken cancellationToken, string? app) =>
        RunAsync("ERR_TERMINATE_WORKFLOW", $"error terminating workflow '{id}': failed to terminate workflow {id}: failed to submit termination request:", engine => Done(engine.TerminateAsync(id, null, recurse: true, cancellationToken)), cancellationToken, app, notFoundId: id, notFoundWords: "failed to submit termination request:");

    public Task PauseAsync(string id, CancellationToken cancellationToken) => PauseAsync(id, cancellationToken, null);

    private Task PauseAsync(string id, CancellationToken cancellationToken, string? app) =>
        RunAsync("ERR_PAUSE_WORKFLOW", $"error pausing workflow {id}: failed to pause workflow {id}: failed to suspend workflow", engine => Done(engine.SuspendAsync(id, null, cancellationToken)), cancellationToken, app);

    public Task ResumeAsync(string id, CancellationToken cancellationToken) => ResumeAsync(id, cancellationToken, null);

    private Task ResumeAsync(string id, CancellationToken cancellationToken, string? app) =>
        RunAsync("ERR_RESUME_WORKFLOW", $"error resuming workflow {id}: failed to resume workflow {id}: failed to resume workflow", engine => Done(engine.ResumeAsync(id, null, cancellationToken)), cancellationToken, app);

    /// <summary>Removes the instance and its children; they must have ended.</summary>
    public Task PurgeAsync(string id, CancellationToken cancellationToken) => PurgeAsync(id, cancellationToken, null);

    private Task PurgeAsync(string id, CancellationToken cancellationToken, string? app) =>
        RunAsync("ERR_PURGE_WORKFLOW", $"error purging workflow {id}: failed to Purge workflow {id}: failed to purge workflow state", engine => Done(engine.PurgeAsync(id, recurse: true, force: false, cancellationToken)), cancellationToken, app, once: true, notFoundId: id, notFoundWords: "failed to purge workflow state: failed to fetch workflow state");

    /// <summary>What the management API shows beside the status: input, output, custom status, failure.</summary>
    public static SortedDictionary<string, string> PropertiesOf(WorkflowState state)
    {
        var properties = new SortedDictionary<string, string>(StringComparer.Ordinal);
        Add("dapr.workflow.custom_status", state.CustomStatus);
        Add("dapr.workflow.input", state.Input);
        if (state.FailureDetails is { } failure)
        {
            properties["dapr.workflow.failure.error_type"] = failure.ErrorType;
            properties["dapr.workflow.failure.error_message"] = failure.ErrorMessage;
            Add("dapr.workflow.failure.stack_trace", failure.StackTrace);
        }
        else if (state.WorkflowStatus is OrchestrationStatus.Completed or OrchestrationStatus.Terminated)
        {
            Add("dapr.workflow.output", state.Output);
        }

        return properties;

        void Add(string key, string? value)
        {
            if (value is not null)
                properties[key] = value;
        }
    }

    public static string StatusName(OrchestrationStatus status) => status switch
    {
        OrchestrationStatus.Running => "RUNNING",
        OrchestrationStatus.Completed => "COMPLETED",
        OrchestrationStatus.ContinuedAsNew => "CONTINUED_AS_NEW",
        OrchestrationStatus.Failed => "FAILED",
        OrchestrationStatus.Canceled => "CANCELED",
        OrchestrationStatus.Terminated => "TERMINATED",
        OrchestrationStatus.Pending => "PENDING",
        OrchestrationStatus.Suspended => "SUSPENDED",
        _ => "UNKNOWN",
    };

    public static ApiException NotFound(string id) => new(404, StatusCode.NotFound, "ERR_INSTANCE_ID_NOT_FOUND", $"unable to find workflow with the provided instance ID: {id}");

    public async ValueTask DisposeAsync()
    {
        await _hubs.CloseAsync(_key, this).ConfigureAwait(false);
    }

    private static async Task<bool> Done(Task work)
    {
        await work.ConfigureAwait(false);
        return true;
    }

    private static Task AcceptedAsync(ApiContext context) => context.Bytes("{}"u8.ToArray(), status: 202);

    private static object ToJson(WorkflowState state) => new SortedDictionary<string, object>(StringComparer.Ordinal)
    {
        ["instanceID"] = state.InstanceId,
        ["workflowName"] = state.Name,
        ["createdAt"] = Rfc3339(state.CreatedTimestamp),
        ["lastUpdatedAt"] = Rfc3339(state.LastUpdatedTimestamp),
        ["runtimeStatus"] = StatusName(state.WorkflowStatus),
        ["properties"] = PropertiesOf(state),
    };

    private static string Rfc3339(Timestamp time) => time.ToDateTime().ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    // Bodies are text; an absent one is an empty text.
    private static async Task<string> BodyAsync(ApiContext context, string errorCode)
    {
        var bytes = await context.BodyAsync().ConfigureAwait(false);
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw ApiException.Internal(errorCode, "the payload is not valid UTF-8");
        }
    }

    private static async Task RequireObjectAsync(ApiContext context)
    {
        var body = await context.BodyAsync().ConfigureAwait(false);
        if (body.Length == 0)
            return;
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind == JsonValueKind.Object)
                return;
        }
        catch (JsonException)
        {
            // Refused below.
        }

        throw ApiException.BadRequest("ERR_MALFORMED_REQUEST", "failed deserializing HTTP body: not a JSON object");
    }

    private static string OperationOf(string errorCode) => errorCode switch
    {
        "ERR_START_WORKFLOW" => "create_workflow",
        "ERR_GET_WORKFLOW" => "get_workflow",
        "ERR_PURGE_WORKFLOW" => "purge_workflow",
        _ => "add_event",
    };

    private async Task<T> RunAsync<T>(string errorCode, string words, Func<IWorkflowEngine, Task<T>> work, CancellationToken cancellationToken, string? app = null, bool once = false, string? notFoundId = null, string notFoundWords = "")
    {
        ActorStateStore.RequirePlacement(_runtime);
        try
        {
            return await CountedAsync(OperationOf(errorCode), OnEngineAsync(app, work, once, cancellationToken)).ConfigureAwait(false);
        }
        catch (ApiException e) when (e.ErrorCode == "ERR_ACTOR_RUNTIME_NOT_FOUND")
        {
            // Only a purge reads the state in steps of its own, and says so.
            var step = errorCode == "ERR_PURGE_WORKFLOW" ? ": failed to fetch workflow state: failed to load workflow metadata" : "";
            throw ApiException.Internal(errorCode, $"{words}{step}: api error: code = Internal desc = {ActorStateStore.Missing}");
        }
        catch (Exception e) when (e is HubMovedException or InvalidDataException or IOException)
        {
            throw ApiException.Internal(errorCode, $"{words}: {e.Message}");
        }
        catch (WorkflowException e) when (e.Refusal == WorkflowRefusal.NoSuchInstance && notFoundId is not null)
        {
            // The wrapped cause is part of daprd's message in just this form.
            throw new ApiException(404, StatusCode.NotFound, "ERR_INSTANCE_ID_NOT_FOUND", $"unable to find workflow with the provided instance ID: {notFoundId}%!(EXTRA *fmt.wrapError={notFoundWords}: {e.Message})");
        }
        catch (WorkflowException e) when (e.Refusal == WorkflowRefusal.Denied)
        {
            throw new ApiException(403, StatusCode.PermissionDenied, errorCode, $"{words}: rpc error: code = PermissionDenied desc = {e.Message}");
        }
        catch (WorkflowException e)
        {
            var cause = e.Refusal == WorkflowRefusal.AlreadyExists ? $"rpc error: code = AlreadyExists desc = {e.Message}" : e.Message;
            throw ApiException.Internal(errorCode, $"{words}: {cause}");
        }
    }
}
