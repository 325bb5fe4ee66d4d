using System.Text.Json;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.PubSub.Cel;
using DaprPlatform.Sidecar.Resiliency;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>
/// The way of a message from the component to the app: envelope, expiration, route, policy, verdict, dead letter. What comes out is only whether the
/// component has to deliver it again.
/// </summary>
internal sealed partial class Delivery
{
    private readonly SidecarRuntime _runtime;
    private readonly Subscription _subscription;
    private readonly IPubSub _component;
    private readonly IEventSink _sink;
    private readonly string? _deadLetterTopic;
    private readonly ILogger _logger;

    /// <param name="deadLetterTopic">As the broker knows it; null: none.</param>
    public Delivery(SidecarRuntime runtime, Subscription subscription, IPubSub component, IEventSink sink, string? deadLetterTopic)
    {
        _runtime = runtime;
        _subscription = subscription;
        _component = component;
        _sink = sink;
        _deadLetterTopic = deadLetterTopic;
        _logger = runtime.Loggers.CreateLogger("dapr.runtime.processor.pubsub");
    }

    /// <inheritdoc cref="MessageHandler"/>
    public async ValueTask<string?> HandleAsync(PubSubMessage message, CancellationToken stopping)
    {
        var start = _runtime.Time.GetTimestamp();
        var (ready, verdict) = Prepare(message);
        string status;
        var attempts = 0;
        if (ready is { } prepared)
        {
            using var trace = prepared.Head.IsTraced ? _runtime.Tracing.StartDelivery(_subscription.Topic, prepared.Head.TraceParent, prepared.Head.TraceState) : null;
            (verdict, attempts) = await SendAsync(new AppEvent(_subscription, message, prepared.Envelope, prepared.Head.Id, trace), prepared.Rule, stopping).ConfigureAwait(false);
        }

        status = verdict.Kind switch { VerdictKind.Success => "success", VerdictKind.Retry => "retry", _ => "drop" };
        _runtime.Metrics.PubSub.Delivered(_subscription.PubSub, _subscription.Topic, status, ready is null ? "" : "success", _runtime.Time.GetElapsedTime(start).TotalMilliseconds);
        return await ConcludeAsync(message, verdict, attempts, stopping).ConfigureAwait(false);
    }

    /// <summary>Delivers together what is routed alike, and tries again what failed, as the policy says.</summary>
    public async ValueTask<IReadOnlyList<string?>> HandleManyAsync(IBulkEventSink sink, IReadOnlyList<PubSubMessage> messages, CancellationToken stopping)
    {
        var start = _runtime.Time.GetTimestamp();
        var verdicts = new Verdict[messages.Count];
        var attempts = new int[messages.Count];
        var routed = new Dictionary<SubscriptionRule, List<int>>();
        var events = new BulkEvent?[messages.Count];
        var isTraced = false;
        for (var i = 0; i < messages.Count; i++)
        {
            var (ready, verdict) = Prepare(messages[i]);
            verdicts[i] = verdict;
            if (ready is not { } prepared)
                continue;
            isTraced |= prepared.Head.IsTraced;
            events[i] = new BulkEvent(Guid.NewGuid().ToString(), messages[i], prepared.Envelope);
            if (!routed.TryGetValue(prepared.Rule, out var list))
                routed[prepared.Rule] = list = [];
            list.Add(i);
        }

        foreach (var (rule, indexes) in routed)
        {
            using var trace = isTraced ? _runtime.Tracing.StartDelivery(_subscription.Topic, null, null) : null;
            await SendManyAsync(sink, rule, indexes, events, verdicts, attempts, trace, stopping).ConfigureAwait(false);
        }

        var elapsed = _runtime.Time.GetElapsedTime(start).TotalMilliseconds;
        foreach (var kind in verdicts.CountBy(v => v.Kind switch { VerdictKind.Success => "success", VerdictKind.Retry => "retry", _ => "drop" }))
            _runtime.Metrics.PubSub.BulkDelivered(_subscription.PubSub, _subscription.Topic, kind.Key, kind.Value, elapsed);
        var results = new string?[messages.Count];
        for (var i = 0; i < results.Length; i++)
            results[i] = await ConcludeAsync(messages[i], verdicts[i], attempts[i], stopping).ConfigureAwait(false);
        return results;
    }

    // Null where nothing is to be sent to the app; the verdict says why.
    private ((ReadOnlyMemory<byte> Envelope, EventHead Head, SubscriptionRule Rule)? Ready, Verdict Verdict) Prepare(PubSubMessage message)
    {
        ReadOnlyMemory<byte> envelope;
        EventHead head;
        if (_subscription.IsRaw)
        {
            var trace = CloudEvents.RawTrace.Of(message.Metadata);
            envelope = CloudEvents.WrapRaw(_subscription.PubSub, _subscription.Topic, message.Data.Span, trace);
            head = new EventHead(Guid.NewGuid().ToString(), null, trace.Parent is not null, trace.Parent, trace.State);
        }
        else
        {
            envelope = message.Data;
            if (!CloudEventReader.TryReadHead(envelope.Span, out head))
                return (null, Verdict.Retry($"error deserializing cloud event in pubsub {_subscription.PubSub} and topic {_subscription.Topic}"));
            if (head.Expiration is { } expiration && expiration < _runtime.Time.GetUtcNow())
                return (null, Verdict.Drop($"dropping expired pub/sub event {head.Id} as of {expiration:O}"));
        }

        if (_subscription.HasOneTarget)
            return ((envelope, head, _subscription.Rules[0]), default);
        return Route(envelope, out var error) is { } rule
            ? ((envelope, head, rule), default)
            : (null, error is null ? Verdict.Drop($"no matching route for event {head.Id} in pubsub {_subscription.PubSub} and topic {_subscription.Topic}; skipping") : Verdict.Retry($"error matching routes for event {head.Id}: {error}"));
    }

    private SubscriptionRule? Route(ReadOnlyMemory<byte> envelope, out string? error)
    {
        try
        {
            return Match(envelope, out error);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Names that are no text. Whatever a message holds must not end its subscription.
            error = e.Message;
            return null;
        }
    }

    private SubscriptionRule? Match(ReadOnlyMemory<byte> envelope, out string? error)
    {
        error = null;
        using var json = JsonDocument.Parse(envelope, new JsonDocumentOptions { MaxDepth = GoJson.ReaderOptions.MaxDepth });
        var @event = CelValue.Of(json.RootElement);
        foreach (var rule in _subscription.Rules)
        {
            if (rule.Program is null)
                return rule;
            var result = rule.Program.Evaluate(@event);
            if (result.IsTrue)
                return rule;
            if (result.Kind != CelKind.Bool)
            {
                error = result.IsError ? result.Text : $"the result of match expression {rule.Match} was not a boolean";
                return null;
            }
        }

        return null;
    }

    private async ValueTask<(Verdict Verdict, int Attempts)> SendAsync(AppEvent @event, SubscriptionRule rule, CancellationToken stopping)
    {
        var policy = _runtime.Resiliency.ForComponent(_subscription.PubSub, "Pubsub", ComponentDirection.Inbound);
        var attempts = 0;
        try
        {
            if (!policy.IsDefined)
            {
                attempts = 1;
                return (await _sink.SendAsync(@event, rule, CancellationToken.None).ConfigureAwait(false), attempts);
            }

            return (await policy.RunAsync(async attempt =>
            {
                attempts++;
                using var call = new AttemptToken(attempt, stopping);
                var verdict = await _sink.SendAsync(@event, rule, call.Token).ConfigureAwait(false);
                return verdict.Kind == VerdictKind.Retry ? throw new RetryException(verdict) : verdict;
            }, stopping).ConfigureAwait(false), attempts);
        }
        catch (RetryException e)
        {
            return (e.Verdict, attempts);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return (Verdict.Retry(e.Message), attempts);
        }
    }

    private async ValueTask SendManyAsync(IBulkEventSink sink, SubscriptionRule rule, List<int> indexes, BulkEvent?[] events, Verdict[] verdicts, int[] attempts, Span? trace, CancellationToken stopping)
    {
        var policy = _runtime.Resiliency.ForComponent(_subscription.PubSub, "Pubsub", ComponentDirection.Inbound);
        var open = indexes;
        try
        {
            await policy.RunAsync(async attempt =>
            {
                using var call = new AttemptToken(attempt, stopping);
                foreach (var i in open)
                    attempts[i]++;
                var answers = await sink.SendAsync([.. open.Select(i => events[i]!)], _subscription, rule, trace, policy.IsDefined ? call.Token : CancellationToken.None).ConfigureAwait(false);
                for (var i = 0; i < answers.Length; i++)
                    verdicts[open[i]] = answers[i];

                // Only what failed is sent again.
                open = [.. open.Where(i => verdicts[i].Kind == VerdictKind.Retry)];
                return open.Count > 0 && policy.IsDefined ? throw new RetryException(verdicts[open[0]]) : true;
            }, stopping).ConfigureAwait(false);
        }
        catch (RetryException)
        {
            // The verdicts say it.
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            foreach (var i in open)
                verdicts[i] = Verdict.Retry(e.Message);
        }
    }

    private async ValueTask<string?> ConcludeAsync(PubSubMessage message, Verdict verdict, int attempts, CancellationToken stopping)
    {
        switch (verdict.Kind)
        {
            case VerdictKind.Success:
                return null;
            case VerdictKind.Ignore:
                LogDropped(_subscription.PubSub, _subscription.Topic, verdict.Reason);
                return null;
            case VerdictKind.Drop when _deadLetterTopic is null:
                LogDropped(_subscription.PubSub, _subscription.Topic, verdict.Reason);
                return null;
            case VerdictKind.Retry when _deadLetterTopic is null:
                return verdict.Reason;
            case VerdictKind.Retry when attempts > 0 && stopping.IsCancellationRequested && _runtime.Resiliency.ForComponent(_subscription.PubSub, "Pubsub", ComponentDirection.Inbound).IsDefined:
                // The end of the subscription cut its attempts short: it is not given up, whoever comes next gets it.
                return verdict.Reason;
        }

        try
        {
            LogDeadLetter(_subscription.PubSub, _subscription.Topic, _deadLetterTopic!, verdict.Reason);
            var letter = message with { Topic = _deadLetterTopic! };
            if (_component.KeepsDeadLetterFacts)
                letter = new DeadLetterFacts(_runtime.Options.AppId, attempts, verdict.Detail ?? verdict.Reason).On(letter);
            await _component.PublishAsync(letter, CancellationToken.None).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return $"error sending message to dead letter topic {_deadLetterTopic}: {e.Message}";
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "dropped a message of pubsub {PubSub} and topic {Topic}: {Reason}")]
    private partial void LogDropped(string pubSub, string topic, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "a message of pubsub {PubSub} and topic {Topic} goes to the dead letter topic {DeadLetterTopic}: {Reason}")]
    private partial void LogDeadLetter(string pubSub, string topic, string deadLetterTopic, string reason);

    private sealed class RetryException(Verdict verdict) : Exception(verdict.Reason)
    {
        public Verdict Verdict => verdict;
    }
}
