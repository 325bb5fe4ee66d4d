using System.Text;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resiliency;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Bindings;

/// <summary>
/// The input bindings whose events the app wants: asked once each by OPTIONS on the binding's route, or by <c>ListInputBindings</c>. They run while the app
/// is healthy.
/// </summary>
internal sealed partial class InputBindings(SidecarRuntime runtime, BindingsApi api)
{
    private const int LongestAnswer = 4 << 20;
    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime.processor.binding");
    private readonly SemaphoreSlim _changing = new(1);
    private readonly Dictionary<string, (IInputBinding Binding, IAsyncDisposable Running)> _running = [];

    // Those the app has said no to: it is not asked again for the same one before it has been gone.
    private readonly Dictionary<string, IInputBinding> _unwanted = [];
    private Task<IReadOnlySet<string>>? _listed;
    private bool _isActive;

    public Task StartAsync(CancellationToken cancellationToken) => ChangeAsync(isActive: true, cancellationToken);

    public Task StopAsync() => ChangeAsync(isActive: false, CancellationToken.None);

    public Task ReloadAsync(CancellationToken cancellationToken) => ChangeAsync(_isActive, cancellationToken);

    private async Task ChangeAsync(bool isActive, CancellationToken cancellationToken)
    {
        if (!runtime.App.IsConfigured)
            return;
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _isActive = isActive;
            if (!isActive)
                _unwanted.Clear();
            var wanted = isActive ? runtime.Components.All<IInputBinding>().Where(b => runtime.Components.SpecOf(b.Key) is { } spec && BindingDirection.IsInput(spec)).ToArray() : [];
            var ended = _running.Where(r => !wanted.Any(w => w.Key == r.Key && w.Value == r.Value.Binding)).ToArray();
            foreach (var (name, _) in ended)
                _running.Remove(name);
            await Task.WhenAll(ended.Select(e => e.Value.Running.DisposeAsync().AsTask())).ConfigureAwait(false);
            await Task.WhenAll(wanted.Where(w => !_running.ContainsKey(w.Key) && _unwanted.GetValueOrDefault(w.Key) != w.Value).Select(w => BeginAsync(w.Key, w.Value, cancellationToken))).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    private async Task BeginAsync(string name, IInputBinding binding, CancellationToken cancellationToken)
    {
        var spec = runtime.Components.SpecOf(name)!;
        var route = "/" + (spec.Value("route") is { Length: > 0 } given ? given : name).TrimStart('/');
        if (!BindingDirection.SaysInput(spec) && !await IsWantedAsync(name, route, cancellationToken).ConfigureAwait(false))
        {
            LogUnwanted(name);
            lock (_running)
                _unwanted[name] = binding;
            return;
        }

        var running = await binding.BeginAsync((@event, stopping) => DeliverAsync(name, route, @event, stopping), cancellationToken).ConfigureAwait(false);
        lock (_running)
            _running[name] = (binding, running);
    }

    private async Task<bool> IsWantedAsync(string name, string route, CancellationToken cancellationToken)
    {
        if (runtime.App.IsGrpc)
        {
            // One question for all of them, though they are begun at the same time.
            if (_listed is null or { IsCompleted: true, IsCompletedSuccessfully: false })
                _listed = ListAsync(cancellationToken);
            return (await _listed.ConfigureAwait(false)).Contains(name);
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(runtime.Options.AppBindingOptionsTimeout);
        try
        {
            await using var answer = await runtime.App.CallAsync(new UpstreamRequest("OPTIONS", route, [], RequestBody.Empty), limit.Token).ConfigureAwait(false);
            await answer.ReadAllAsync(LongestAnswer, limit.Token).ConfigureAwait(false);
            return answer.Status is >= 200 and <= 299 or 405;
        }
        catch (Exception e) when (e is UpstreamException or IOException or BodyTooLargeException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LogNotAsked(name, e.Message);
            return false;
        }
    }

    private async Task<IReadOnlySet<string>> ListAsync(CancellationToken cancellationToken)
    {
        try
        {
            var answer = await new AppCallback.AppCallbackClient(runtime.App.Grpc).ListInputBindingsAsync(new Empty(), cancellationToken: cancellationToken).ResponseAsync.ConfigureAwait(false);
            return answer.Bindings.ToHashSet();
        }
        catch (RpcException e)
        {
            if (e.StatusCode != StatusCode.Unimplemented)
                LogNotAsked("", e.Status.Detail);
            return new HashSet<string>();
        }
    }

    // Throws when the app does not take the event, after the attempts of the policy.
    private async ValueTask<ReadOnlyMemory<byte>> DeliverAsync(string name, string route, BindingEvent @event, CancellationToken stopping)
    {
        var start = runtime.Time.GetTimestamp();
        var taken = false;
        // What brought the event about may have left its trace with it.
        TraceContext.TryParse(@event.Metadata.GetValueOrDefault("traceparent"), @event.Metadata.GetValueOrDefault("tracestate"), out var parent);
        using var trace = runtime.Tracing.StartSpan($"bindings/{name}", SpanKind.Client, parent);
        try
        {
            // A call under way is finished when the binding stops.
            var policy = runtime.Resiliency.ForComponent(name, "Binding", ComponentDirection.Inbound);
            var answer = !policy.IsDefined ? await SendAsync(CancellationToken.None).ConfigureAwait(false) : await policy.RunAsync(async attempt =>
            {
                using var call = new AttemptToken(attempt, stopping);
                return await SendAsync(call.Token).ConfigureAwait(false);
            }, stopping).ConfigureAwait(false);
            taken = true;
            return answer;
        }
        finally
        {
            runtime.Metrics.InputBinding(name, taken, runtime.Time.GetElapsedTime(start).TotalMilliseconds);
        }

        ValueTask<ReadOnlyMemory<byte>> SendAsync(CancellationToken cancellationToken) =>
            runtime.App.IsGrpc ? SendGrpcAsync(name, @event, trace, cancellationToken) : SendHttpAsync(name, route, @event, trace, cancellationToken);
    }

    private async ValueTask<ReadOnlyMemory<byte>> SendHttpAsync(string name, string route, BindingEvent @event, Span? trace, CancellationToken cancellationToken)
    {
        var headers = new List<KeyValuePair<string, StringValues>> { KeyValuePair.Create("Content-Type", new StringValues("application/json")) };
        foreach (var (key, value) in @event.Metadata)
        {
            if (MetadataHeaders.CanBe(key) && (trace is null || !key.Equals("traceparent", StringComparison.OrdinalIgnoreCase)))
                headers.Add(KeyValuePair.Create(key, new StringValues(MetadataHeaders.OneLine(value))));
        }

        if (trace is not null)
            headers.Add(KeyValuePair.Create("traceparent", new StringValues(trace.TraceParent)));
        await using var answer = await runtime.App.CallAsync(new UpstreamRequest("POST", route, headers, RequestBody.Of(@event.Data)), cancellationToken).ConfigureAwait(false);
        var body = await answer.ReadAllAsync(LongestAnswer, cancellationToken).ConfigureAwait(false);
        if (answer.Status is < 200 or > 299)
            throw new BindingException($"error sending binding event to application {name}: fails with status code {answer.Status}, body: {Encoding.UTF8.GetString(body)}");
        return body;
    }

    private async ValueTask<ReadOnlyMemory<byte>> SendGrpcAsync(string name, BindingEvent @event, Span? trace, CancellationToken cancellationToken)
    {
        var request = new BindingEventRequest { Name = name, Data = UnsafeByteOperations.UnsafeWrap(@event.Data) };
        foreach (var (key, value) in @event.Metadata)
            request.Metadata[key] = value;
        var headers = new Metadata();
        if (trace is not null)
        {
            headers.Add("traceparent", trace.TraceParent);
            headers.Add("grpc-trace-bin", trace.Context.ToBinary());
        }

        var answer = await new AppCallback.AppCallbackClient(runtime.App.Grpc).OnBindingEventAsync(request, headers, cancellationToken: cancellationToken).ResponseAsync.ConfigureAwait(false);
        if (answer.To.Count == 0)
            return answer.Data.Memory;

        // The app sends data on to output bindings.
        var metadata = new Dictionary<string, string>();
        BindingsApi.AddTrace(metadata);
        var onward = new BindingRequest("create", answer.Data.Memory, metadata);
        if (answer.Concurrency == BindingEventResponse.Types.BindingEventConcurrency.Parallel)
        {
            await Task.WhenAll(answer.To.Select(to => api.InvokeAsync(to, onward, CancellationToken.None).AsTask())).ConfigureAwait(false);
            return answer.Data.Memory;
        }

        foreach (var to in answer.To)
            await api.InvokeAsync(to, onward, CancellationToken.None).ConfigureAwait(false);
        return answer.Data.Memory;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "app has not subscribed to binding {Name}.")]
    private partial void LogUnwanted(string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "could not ask the app for binding {Name}: {Reason}")]
    private partial void LogNotAsked(string name, string reason);
}
