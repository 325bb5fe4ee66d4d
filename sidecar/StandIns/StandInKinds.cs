using DaprPlatform.Sidecar.Actors.Placement;
using DaprPlatform.Sidecar.Scheduling;
using DaprPlatform.Sidecar.StandIns.Log;
using DaprPlatform.Sidecar.Storage;
using Grpc.AspNetCore.Server;

namespace DaprPlatform.Sidecar.StandIns;

/// <summary>Every kind of server this machine can stand in for. The stand-in process serves all of <see cref="All"/>.</summary>
internal static class StandInKinds
{
    /// <summary>Kafka: topics with partitions and consumer groups.</summary>
    public static readonly StandInKind<IMessageLog> MessageLog = new("log",
        place => ValueTask.FromResult<IMessageLog>(new MessageLog(place.Directory, place.Engine.Time, changes: place.Engine.Changes)),
        (servers, options) => GrpcMethodTable.Create(new MessageLogService(servers), options),
        (connection, address) => new RemoteMessageLog(connection, address));

    /// <summary>Redis streams.</summary>
    public static readonly StandInKind<IStreamLog> Streams = new("streams",
        place => ValueTask.FromResult<IStreamLog>(new StreamLog(place.Directory, place.Engine.Time, changes: place.Engine.Changes)),
        (servers, options) => GrpcMethodTable.Create(new StreamLogService(servers), options),
        (connection, address) => new RemoteStreamLog(connection, address));

    /// <summary>Redis and etcd: keys with values; the address says which (see <see cref="KeyValueServers"/>).</summary>
    public static readonly StandInKind<IKeyValueServer> KeyValue = new("keyvalue",
        async place => await KeyValueServers.ConnectAsync(place.Engine, place.Address).ConfigureAwait(false),
        (servers, options) => GrpcMethodTable.Create(new KeyValueService(servers), options),
        (connection, address) => new RemoteKeyValueServer(connection.Invoker, address));

    /// <summary>Dapr's scheduler: jobs and reminders.</summary>
    public static readonly StandInKind<IScheduler> Scheduler = new("scheduler",
        DurableScheduler.OpenAsync,
        (servers, options) => GrpcMethodTable.Create(new SchedulerService(servers), options),
        (connection, address) => new RemoteScheduler(connection, address));

    /// <summary>Dapr's placement service: who hosts which actors.</summary>
    public static readonly StandInKind<IPlacement> Placement = new("placement",
        place => ValueTask.FromResult<IPlacement>(new PlacementServer(place.Engine.Time)),
        (servers, options) => GrpcMethodTable.Create(new PlacementService(servers), options),
        (connection, address) => new RemotePlacement(connection, address));

    public static IReadOnlyList<StandInKind> All { get; } = [MessageLog, Streams, KeyValue, Scheduler, Placement];
}
