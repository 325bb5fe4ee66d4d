using System.Threading.Channels;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.Storage.Wire;
using Google.Protobuf;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>Offers key-value servers to other processes.</summary>
internal sealed class KeyValueService(StandInServers<IKeyValueServer> servers) : KeyValueStandIn.KeyValueStandInBase
{
    public override async Task<KeyValueBatchAnswer> Execute(KeyValueBatch request, ServerCallContext context)
    {
        var server = await servers.GetAsync(request.Address).ConfigureAwait(false);
        var answer = new KeyValueBatchAnswer();
        answer.Answers.AddRange(await StandInCalls.AnswerAllAsync(request.Requests, r => AnswerAsync(server, r)).ConfigureAwait(false));
        return answer;
    }

    public override async Task Watch(KeyValueWatchRequest request, IServerStreamWriter<KeyValueChanged> responseStream, ServerCallContext context)
    {
        var server = await servers.GetAsync(request.Address).ConfigureAwait(false);
        var changes = Channel.CreateUnbounded<KeyValueChange>(new UnboundedChannelOptions { SingleReader = true });
        await using var watch = await server.WatchAsync(request.Space, change => changes.Writer.TryWrite(change), context.CancellationToken).ConfigureAwait(false);
        await responseStream.WriteAsync(new KeyValueChanged()).ConfigureAwait(false);
        try
        {
            await foreach (var (key, value) in changes.Reader.ReadAllAsync(context.CancellationToken).ConfigureAwait(false))
            {
                var changed = new KeyValueChanged { Key = key };
                if (value is { } bytes)
                    changed.Value = StandInCalls.Bytes(bytes);
                await responseStream.WriteAsync(changed).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            // The watcher has gone.
        }
    }

    private static async Task<KeyValueAnswer> AnswerAsync(IKeyValueServer server, KeyValueRequest request)
    {
        var answer = new KeyValueAnswer();
        try
        {
            switch (request.KindCase)
            {
                case KeyValueRequest.KindOneofCase.Get:
                    foreach (var record in await server.GetManyAsync(request.Space, request.Get.Keys, CancellationToken.None).ConfigureAwait(false))
                        answer.Found.Add(ToWire(record));
                    break;
                case KeyValueRequest.KindOneofCase.Transaction:
                    var operations = new KeyValueOperation[request.Transaction.Writes.Count];
                    for (var i = 0; i < operations.Length; i++)
                        operations[i] = FromWire(request.Transaction.Writes[i]);
                    foreach (var result in await server.TransactAsync(request.Space, operations, request.Transaction.AllOrNothing, CancellationToken.None).ConfigureAwait(false))
                        answer.Outcomes.Add(new KeyValueOutcome { Status = (int)result.Status, Version = result.Version });
                    break;
                case KeyValueRequest.KindOneofCase.Keys:
                    var keys = request.Keys;
                    answer.Keys.AddRange(await server.KeysAsync(request.Space, keys.Prefix, keys.HasAfter ? keys.After : null, keys.Limit, CancellationToken.None).ConfigureAwait(false));
                    break;
            }
        }
        catch (StoreException e)
        {
            answer.Error = e.Message;
        }

        return answer;
    }

    private static KeyValueFound ToWire(KeyValueRecord? record) => record is null
        ? new KeyValueFound()
        : new KeyValueFound { Exists = true, Value = StandInCalls.Bytes(record.Value), Version = record.Version, ExpiresAt = record.ExpiresAt, Marked = record.Marked };

    private static KeyValueOperation FromWire(KeyValueWrite write) => new()
    {
        Key = write.Key,
        IsDelete = write.IsDelete,
        Value = write.Value.Memory,
        Condition = (KeyValueCondition)write.Condition,
        Version = write.Version,
        Expected = write.Expected.Memory,
        Ttl = (KeyValueTtl)write.Ttl,
        TtlMilliseconds = write.TtlMilliseconds,
        Mark = write.Mark,
    };
}
