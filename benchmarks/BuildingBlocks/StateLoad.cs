using System.Text;
using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using Google.Protobuf;

namespace DaprPlatform.Benchmarks.BuildingBlocks;

/// <summary>Set, get and transactions of ten, over HTTP and gRPC, each caller on a connection of its own.</summary>
internal static class StateLoad
{
    private const string Store = "statestore";
    private const int Keys = 1000;
    private const int OperationsPerTransaction = 10;

    public static async Task<IReadOnlyList<Row>> RunAsync(Target target)
    {
        var text = $"{{\"text\":\"{new string('x', 200)}\"}}";
        var rows = new List<Row>();
        var connections = Enumerable.Range(0, target.Clients).Select(_ => new Connection(target.HttpPort)).ToList();
        var sets = Enumerable.Range(0, Keys).Select(k => Connection.Request("POST", $"/v1.0/state/{Store}", $"[{{\"key\":\"k{k}\",\"value\":{text}}}]")).ToArray();
        var gets = Enumerable.Range(0, Keys).Select(k => Connection.Request("GET", $"/v1.0/state/{Store}/k{k}")).ToArray();
        rows.Add(await target.MeasureAsync("state set, HTTP", target.Clients, (caller, i) => connections[caller].CallAsync(sets[Key(caller, i)])));
        rows.Add(await target.MeasureAsync("state get, HTTP", target.Clients, (caller, i) => connections[caller].CallAsync(gets[Key(caller, i)])));
        connections.ForEach(c => c.Dispose());

        var channels = Enumerable.Range(0, target.Clients).Select(_ => target.Channel(target.GrpcPort)).ToList();
        var clients = channels.ConvertAll(c => new Dapr.Proto.Runtime.V1.Dapr.DaprClient(c));
        var value = ByteString.CopyFrom(Encoding.UTF8.GetBytes(text));
        rows.Add(await target.MeasureAsync("state set, gRPC", target.Clients, async (caller, i) =>
            await clients[caller].SaveStateAsync(new SaveStateRequest { StoreName = Store, States = { new StateItem { Key = $"k{Key(caller, i)}", Value = value } } })));
        rows.Add(await target.MeasureAsync("state get, gRPC", target.Clients, async (caller, i) =>
            await clients[caller].GetStateAsync(new GetStateRequest { StoreName = Store, Key = $"k{Key(caller, i)}" })));
        rows.Add(await target.MeasureAsync($"state transaction of {OperationsPerTransaction}, gRPC", target.Clients, async (caller, _) =>
        {
            var request = new ExecuteStateTransactionRequest { StoreName = Store };
            for (var k = 0; k < OperationsPerTransaction; k++)
                request.Operations.Add(new TransactionalStateOperation { OperationType = "upsert", Request = new StateItem { Key = $"t{caller}-{k}", Value = value } });
            await clients[caller].ExecuteStateTransactionAsync(request);
        }));
        channels.ForEach(c => c.Dispose());
        return rows;
    }

    private static int Key(int caller, int i) => (int)((uint)(caller * 31 + i) % Keys);
}
