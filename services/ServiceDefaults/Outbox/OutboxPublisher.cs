using System.Collections.Concurrent;
using Dapr.Client;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.FaultFlags;
using DaprPlatform.ServiceDefaults.Metrics;
using Grpc.Core;

namespace DaprPlatform.ServiceDefaults.Outbox;

/// <summary>Publishes events, those of one partition key in their order.</summary>
internal sealed class OutboxPublisher(DaprClient dapr, ServiceName service, BrokerLag? lag = null, IBulkBroker? broker = null)
{
    private const int Concurrency = 16;

    /// <summary>The ids that are published for certain, and the first failure, if there was one.</summary>
    public async Task<(IReadOnlyCollection<long> Sent, Exception? Failure)> PublishAsync(IReadOnlyList<OutboxMessage> batch, CancellationToken cancellationToken)
    {
        var sent = new ConcurrentBag<long>();
        Exception? failure = null;
        if (lag?.Value is { Ticks: > 0 } delay)
            await Task.Delay(delay, cancellationToken);
        var left = await Task.WhenAll(batch.GroupBy(m => m.Topic).Select(g => PublishTopicAsync([.. g], sent, cancellationToken)));
        var groups = left.SelectMany(topic => topic.GroupBy(m => m.PartitionKey)).Select(g => g.ToArray());
        var options = new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(groups, options, async (group, token) =>
        {
            try
            {
                foreach (var message in group.AsSpan(0, await PublishGroupAsync(group, token)))
                    sent.Add(message.Id);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                Interlocked.CompareExchange(ref failure, e, null);
            }
        });
        return (sent, failure ?? (sent.Count < batch.Count ? new InvalidOperationException("The broker refused some of the events.") : null));
    }

    /// <summary>All events of a topic by one call. What is left where that failed goes key by key: which of them did it nobody says, and the others must not wait for it.</summary>
    private async Task<IReadOnlyList<OutboxMessage>> PublishTopicAsync(OutboxMessage[] messages, ConcurrentBag<long> sent, CancellationToken cancellationToken)
    {
        if (broker is null || messages.Length == 1)
            return messages;
        try
        {
            await broker.PublishAsync(messages[0].Topic, messages, cancellationToken);
        }
        catch (RpcException) when (!cancellationToken.IsCancellationRequested)
        {
            return messages;
        }
        foreach (var message in messages)
            sent.Add(message.Id);
        return [];
    }

    /// <summary>How many of the group, from its start, are published.</summary>
    private async Task<int> PublishGroupAsync(OutboxMessage[] group, CancellationToken cancellationToken)
    {
        var topic = group[0].Topic;
        var metadata = new Dictionary<string, string> { ["partitionKey"] = group[0].PartitionKey };
        if (group.Length == 1)
        {
            await dapr.PublishEventAsync(PubSub.Name, topic, new OutboxEnvelope(group[0], service.Value), metadata, cancellationToken);
            return 1;
        }
        var envelopes = Array.ConvertAll(group, m => new OutboxEnvelope(m, service.Value));
        var response = await dapr.BulkPublishEventAsync<OutboxEnvelope>(PubSub.Name, topic, envelopes, metadata, cancellationToken);
        if (response.FailedEntries.Count == 0)
            return group.Length;
        // What follows a failed one is published again, after it: the order counts more than a duplicate.
        var failed = response.FailedEntries.Select(e => e.Entry.EventData.Id).ToHashSet(StringComparer.Ordinal);
        var firstFailed = Array.FindIndex(envelopes, e => failed.Contains(e.Id));
        return firstFailed < 0 ? 0 : firstFailed;
    }
}
