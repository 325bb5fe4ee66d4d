using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.State;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>
/// Publishes what the transactions of a state store write. The event goes to an internal topic first; the transaction gets a marker with its id; whoever gets
/// the internal message publishes it once the marker is there, and takes the marker away. So a crash at any point loses neither, and a transaction that was
/// rolled back publishes nothing.
/// </summary>
internal sealed partial class Outbox(SidecarRuntime runtime) : IBuildingBlock, IStateOutbox, IAsyncDisposable
{
    /// <summary>How long another sidecar's transaction may take between its internal message and its commit.</summary>
    private static readonly TimeSpan MarkerLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);
    private static readonly ReadOnlyMemory<byte> Marker = "0"u8.ToArray();
    private static readonly IReadOnlyDictionary<string, string> NoMetadata = new Dictionary<string, string>();

    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime.outbox");
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _beginning = new(1);
    private readonly Dictionary<string, (IPubSub Component, IAsyncDisposable Subscription)> _subscriptions = [];

    // Transactions of this sidecar that are under way: true once committed, false once rolled back.
    private readonly ConcurrentDictionary<string, TaskCompletionSource<bool>> _underWay = new();

    /// <summary>It has no routes of its own; it takes its place in the state API.</summary>
    public void MapHttp(Router router) => runtime.Block<StateApi>().Outbox = this;

    /// <summary>Goes on with what was committed before a crash.</summary>
    public async Task AppReadyAsync(CancellationToken cancellationToken)
    {
        foreach (var (name, _) in runtime.Components.All<IStateStore>())
        {
            if (Settings.Of(runtime, name) is { } settings && PubSubComponent.Find(runtime, settings.InternalPubSub) is { } component)
                await SubscribeAsync(settings, component, cancellationToken).ConfigureAwait(false);
        }
    }

    public bool Covers(string storeName) => Settings.Of(runtime, storeName) is not null;

    public async ValueTask TransactAsync(string storeName, IReadOnlyList<StateWrite> writes, Func<string, string> storedKey,
        Func<IReadOnlyList<StateWrite>, CancellationToken, ValueTask> commit, CancellationToken cancellationToken)
    {
        var settings = Settings.Of(runtime, storeName)!;
        if (PubSubComponent.Find(runtime, settings.PubSub) is null)
            throw Failed($"pubsub '{settings.PubSub}' not found");
        var inside = PubSubComponent.Find(runtime, settings.InternalPubSub) ?? throw Failed($"pubsub '{settings.InternalPubSub}' not found");
        await SubscribeAsync(settings, inside, cancellationToken).ConfigureAwait(false);

        var stored = new List<StateWrite>(writes.Count * 2);
        var ids = new List<string>(writes.Count);
        var projections = writes.Where(IsProjection).ToLookup(w => w.Key);
        if (projections.FirstOrDefault(p => !writes.Any(w => w.Key == p.Key && w.Kind == StateOperationKind.Upsert && !IsProjection(w))) is { } lone)
            throw Failed($"the projection of key '{lone.Key}' belongs to no operation of the transaction");
        var isCommitted = false;
        try
        {
            foreach (var write in writes)
            {
                if (IsProjection(write))
                    continue;
                stored.Add(write);
                if (write.Kind != StateOperationKind.Upsert)
                    continue;
                var id = $"outbox-{Guid.NewGuid()}";
                ids.Add(id);
                _underWay[id] = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
                stored.Add(new StateWrite(StateOperationKind.Upsert, storedKey(id), Marker, IsBinary: false));
                await PublishInsideAsync(settings, inside, id, projections[write.Key].LastOrDefault() ?? write, cancellationToken).ConfigureAwait(false);
            }

            await commit(stored, cancellationToken).ConfigureAwait(false);
            isCommitted = true;
        }
        finally
        {
            foreach (var id in ids)
            {
                if (_underWay.TryGetValue(id, out var outcome))
                    outcome.TrySetResult(isCommitted);
            }

            if (ids.Count > 0)
                _ = ForgetAsync(ids);
        }
    }

    // The message may have gone to another sidecar of the app; then nobody here asks.
    private async Task ForgetAsync(List<string> ids)
    {
        await Task.Delay(MarkerLimit * 2, runtime.Time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var id in ids)
            _underWay.TryRemove(id, out _);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        foreach (var (_, subscription) in _subscriptions.Values)
            await subscription.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private ApiException Failed(string error) =>
        new(500, StatusCode.Internal, "ERR_PUBLISH_OUTBOX", $"error while publishing outbox message: {error}", ApiException.Info("DAPR_PUBSUB_OUTBOX", ("appID", runtime.Options.AppId), ("error", error)));

    // Published in the place of what is stored under the same key.
    private static bool IsProjection(StateWrite write) => write.Kind == StateOperationKind.Upsert && write.MetadataValue("outbox.projection")?.Trim().ToLowerInvariant() is "y" or "yes" or "true" or "t" or "on" or "1";

    private async ValueTask PublishInsideAsync(Settings settings, PubSubComponent inside, string id, StateWrite write, CancellationToken cancellationToken)
    {
        try
        {
            var message = new PubSubMessage(settings.InternalTopic, Envelope(settings, id, write), write.MetadataValue("partitionKey") is { } key ? new Dictionary<string, string> { ["partitionKey"] = key } : null);
            await inside.Component.PublishAsync(message, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is PubSubException or IOException or RpcException)
        {
            throw Failed(e.Message);
        }
    }

    // The write's metadata become attributes of the event; id and data are the outbox's own.
    private byte[] Envelope(Settings settings, string id, StateWrite write)
    {
        var attributes = write.Metadata ?? NoMetadata;
        var isJson = ContentTypes.IsJson(write.ContentType ?? Attribute("contentType") ?? "");
        var output = new ArrayBufferWriter<byte>(write.Value.Length + 512);
        output.Write("{"u8);
        foreach (var (name, value) in attributes)
        {
            if (name is "id" or "data" or "data_base64" or "specversion" or "outbox.projection")
                continue;
            CloudEvents.WriteText(output, name);
            output.Write(":"u8);
            CloudEvents.WriteText(output, value);
            output.Write(","u8);
        }

        Default("source", runtime.Options.AppId);
        Default("datacontenttype", isJson ? ContentTypes.Json : ContentTypes.Text);
        output.Write("\"id\":"u8);
        CloudEvents.WriteText(output, id);
        output.Write(",\"data\":"u8);
        WriteData(output, write, isJson);
        output.Write("}"u8);
        return CloudEvents.Create(new CloudEvents.Input(settings.PubSub, settings.Topic, runtime.Options.AppId, output.WrittenMemory, ContentTypes.CloudEvent, NoMetadata, Span.Current?.Context ?? default,
            runtime.Time.GetUtcNow(), WritesExpiration: false));

        string? Attribute(string name) => attributes.GetValueOrDefault(name);

        void Default(string name, string value)
        {
            if (attributes.ContainsKey(name))
                return;
            CloudEvents.WriteText(output, name);
            output.Write(":"u8);
            CloudEvents.WriteText(output, value);
            output.Write(","u8);
        }
    }

    private static void WriteData(ArrayBufferWriter<byte> output, StateWrite write, bool isJson)
    {
        var value = write.Value.Span;
        if (isJson && IsJson(value))
        {
            output.Write(value);
            return;
        }

        // JSON text that came over HTTP is taken without the quotes of a string.
        if (!write.IsBinary && value is [(byte)'"', ..])
            GoJson.WriteString(output, Encoding.UTF8.GetBytes(JsonSerializer.Deserialize<string>(value) ?? ""));
        else
            GoJson.WriteString(output, value);
    }

    private static bool IsJson(ReadOnlySpan<byte> value)
    {
        try
        {
            var reader = new Utf8JsonReader(value, GoJson.ReaderOptions);
            return reader.Read() && reader.TrySkip() && !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private async ValueTask SubscribeAsync(Settings settings, PubSubComponent inside, CancellationToken cancellationToken)
    {
        await _beginning.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_subscriptions.TryGetValue(settings.Store, out var running))
            {
                if (running.Component == inside.Component)
                    return;
                await running.Subscription.DisposeAsync().ConfigureAwait(false);
            }

            var request = new SubscribeRequest(settings.InternalTopic, NoMetadata, HasDeadLetters: false);
            _subscriptions[settings.Store] = (inside.Component, await inside.Component.SubscribeAsync(request, (message, stopping) => PublishAsync(settings, message, stopping), cancellationToken).ConfigureAwait(false));
        }
        finally
        {
            _beginning.Release();
        }
    }

    private async ValueTask<string?> PublishAsync(Settings settings, PubSubMessage message, CancellationToken stopping)
    {
        if (!CloudEventReader.TryReadHead(message.Data.Span, out var head) || head.Id.Length == 0)
            return null;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping, _stopping.Token);
        try
        {
            if (!await IsCommittedAsync(settings, head.Id, ending.Token).ConfigureAwait(false))
            {
                LogRolledBack(head.Id);
                return null;
            }

            await PublishOutsideAsync(settings, message, ending.Token).ConfigureAwait(false);
            await RemoveMarkerAsync(settings, head.Id).ConfigureAwait(false);
            _underWay.TryRemove(head.Id, out _);
            return null;
        }
        catch (OperationCanceledException)
        {
            return "the sidecar stops";
        }
    }

    private async ValueTask<bool> IsCommittedAsync(Settings settings, string id, CancellationToken cancellationToken)
    {
        if (_underWay.TryGetValue(id, out var outcome))
        {
            var isCommitted = await outcome.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            if (!isCommitted)
                _underWay.TryRemove(id, out _);
            return isCommitted;
        }

        // Of another sidecar, or from before a restart: the marker tells.
        var began = runtime.Time.GetTimestamp();
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                if (runtime.Components.TryGet<IStateStore>(settings.Store, out var store)
                    && await store.GetAsync(settings.Keys.Stored(id), Consistency.Strong, NoMetadata, cancellationToken).ConfigureAwait(false) is not null)
                    return true;
                if (runtime.Time.GetElapsedTime(began) > MarkerLimit)
                    return false;
            }
            catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
            {
                // A store that cannot be read just now says nothing about the transaction.
                LogTrouble(id, e.Message);
            }

            await Task.Delay(pause, runtime.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask PublishOutsideAsync(Settings settings, PubSubMessage message, CancellationToken cancellationToken)
    {
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                var outside = PubSubComponent.Find(runtime, settings.PubSub) ?? throw new PubSubException($"pubsub '{settings.PubSub}' not found");
                var metadata = message.Metadata?.GetValueOrDefault("partitionKey") is { } key ? new Dictionary<string, string> { ["partitionKey"] = key } : null;
                await outside.Component.PublishAsync(new PubSubMessage(outside.BrokerTopic(settings.Topic), message.Data, metadata), cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
            {
                LogTrouble(settings.Topic, e.Message);
            }

            await Task.Delay(pause, runtime.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    // A marker that stays behind does no harm.
    private async ValueTask RemoveMarkerAsync(Settings settings, string id)
    {
        try
        {
            if (runtime.Components.TryGet<IStateStore>(settings.Store, out var store))
                await store.WriteAsync(new StateWrite(StateOperationKind.Delete, settings.Keys.Stored(id)), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            LogTrouble(id, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "the transaction of outbox message {Id} was not committed; it is not published")]
    private partial void LogRolledBack(string id);

    [LoggerMessage(Level = LogLevel.Error, Message = "outbox: {What}: {Error}")]
    private partial void LogTrouble(string what, string error);

    /// <summary>A store's metadata about its outbox (https://docs.dapr.io/developing-applications/building-blocks/state-management/howto-outbox/).</summary>
    private sealed record Settings(string Store, string PubSub, string Topic, string InternalPubSub, string InternalTopic, KeyPrefix Keys)
    {
        /// <summary>Null: the store has no outbox.</summary>
        public static Settings? Of(SidecarRuntime runtime, string store)
        {
            if (runtime.Components.SpecOf(store) is not { } spec || spec.Value("outboxPublishPubsub") is not { Length: > 0 } pubsub || spec.Value("outboxPublishTopic") is not { Length: > 0 } topic)
                return null;
            var inside = spec.Value("outboxPubsub") is { Length: > 0 } given ? given : pubsub;
            var options = runtime.Options;
            return new Settings(store, pubsub, topic, inside, $"{options.Variable("NAMESPACE")}{options.AppId}{topic}outbox", new KeyPrefix(spec));
        }
    }
}
