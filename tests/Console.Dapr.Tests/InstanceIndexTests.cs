using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Storage;
using DaprPlatform.Sidecar.Workflow;

namespace DaprPlatform.Cli.OpsConsole.Tests;

/// <summary>What a look at very many instances costs, counted in rows.</summary>
public sealed class InstanceIndexTests : IAsyncLifetime
{
    private const int Many = 100_000;
    private const int Failed = 40;
    private const int Running = 60;
    private readonly string _folder = Directory.CreateTempSubdirectory("instance-index-").FullName;
    private DurableStore _store = null!;

    public async ValueTask InitializeAsync()
    {
        _store = DurableStore.Open(Path.Combine(_folder, "engine.db"));
        var tables = new WorkflowTables(_store);
        var hub = await tables.HubAsync("redis://127.0.0.1:6379/0|default|shop");
        await _store.WriteAsync(connection =>
        {
            var insert = connection.Prepared("INSERT INTO wf_instances (key, hub, id, generation, open, name, status, created, updated) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?7)");
            for (var key = 1; key <= Many; key++)
            {
                // The unusual ones are the oldest: the worst place for a list that begins with the newest.
                var status = key <= Failed ? OrchestrationStatus.Failed : key <= Failed + Running ? OrchestrationStatus.Running : OrchestrationStatus.Completed;
                insert.Bind(1, key).Bind(2, hub).Bind(3, $"order-{key:D6}").Bind(4, status == OrchestrationStatus.Running ? 1 : 0).Bind(5, key % 1000 == 0 ? "Rare" : "Order").Bind(6, (long)status).Bind(7, key).Run();
            }
        });
    }

    [Fact]
    public async Task A_page_of_the_newest_costs_a_page()
    {
        var page = await ReadAsync(new InstanceQuery(null, null, null, null, null, null, null, 100));
        Assert.Equal(("order-100000", "order-099901", 100), (page.Instances[0].Id, page.Instances[^1].Id, page.Instances.Count));
        Assert.True(page.RowsRead <= 101, $"{page.RowsRead} rows");
        var next = await ReadAsync(new InstanceQuery(null, null, null, null, null, null, page.Next, 100));
        Assert.Equal("order-099900", next.Instances[0].Id);
    }

    [Theory]
    [InlineData(OrchestrationStatus.Failed, Failed)]
    [InlineData(OrchestrationStatus.Running, Running)]
    public async Task The_few_that_failed_or_still_run_are_found_without_passing_over_the_others(OrchestrationStatus status, int count)
    {
        var page = await ReadAsync(new InstanceQuery(null, new HashSet<OrchestrationStatus> { status }, null, null, null, null, null, 100));
        Assert.Equal((count, null), (page.Instances.Count, page.Next));
        Assert.True(page.RowsRead <= count, $"{page.RowsRead} rows");
    }

    [Fact]
    public async Task A_filter_that_few_satisfy_reads_every_row_once_and_loads_none()
    {
        var page = await ReadAsync(new InstanceQuery(null, null, "Rare", null, null, null, null, 1000));
        Assert.Equal(Many / 1000, page.Instances.Count);
        Assert.Equal(Many, page.RowsRead);
        Assert.Equal("order-012345", Assert.Single((await ReadAsync(new InstanceQuery(null, null, null, "-012345", null, null, null, 100))).Instances).Id);
    }

    [Fact]
    public async Task All_pages_together_are_all_instances_once()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        long? before = null;
        do
        {
            var page = await ReadAsync(new InstanceQuery(null, null, null, null, null, null, before, 1000));
            Assert.All(page.Instances, i => Assert.True(seen.Add(i.Id)));
            before = page.Next;
        }
        while (before is not null);
        Assert.Equal(Many, seen.Count);
    }

    [Fact]
    public async Task A_store_of_an_earlier_version_gets_its_columns_filled()
    {
        var path = Path.Combine(_folder, "old.db");
        await using (var old = DurableStore.Open(path))
        {
            await old.WriteAsync(connection =>
            {
                connection.Execute("""
                    CREATE TABLE wf_hubs (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
                    CREATE TABLE wf_instances (key INTEGER PRIMARY KEY, hub INTEGER NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL, open INTEGER NOT NULL, custom TEXT, inbox BLOB);
                    CREATE TABLE wf_history (instance INTEGER NOT NULL, block INTEGER NOT NULL, events BLOB NOT NULL, PRIMARY KEY (instance, block)) WITHOUT ROWID;
                    CREATE TABLE wf_propagated (instance INTEGER PRIMARY KEY, history BLOB NOT NULL);
                    INSERT INTO wf_hubs (key, name) VALUES (1, 's|default|shop');
                    INSERT INTO wf_instances (key, hub, id, generation, open) VALUES (1, 1, 'old', 1, 0);
                    """);
                var block = new GetInstanceHistoryResponse();
                var at = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddSeconds(5));
                block.Events.Add(new HistoryEvent { EventId = -1, Timestamp = at, ExecutionStarted = new ExecutionStartedEvent { Name = "Order" } });
                block.Events.Add(new HistoryEvent { EventId = 0, Timestamp = at, ExecutionCompleted = new ExecutionCompletedEvent { WorkflowStatus = OrchestrationStatus.Failed } });
                connection.Prepared("INSERT INTO wf_history (instance, block, events) VALUES (1, 0, ?1)").BindBlob(1, Google.Protobuf.MessageExtensions.ToByteArray(block)).Run();
            });
        }

        await using var store = DurableStore.Open(path);
        await new WorkflowTables(store).ReadyAsync();
        var instance = Assert.Single((await store.ReadAsync(c => InstanceIndex.Read(c, new InstanceQuery(null, new HashSet<OrchestrationStatus> { OrchestrationStatus.Failed }, null, null, null, null, null, 10)))).Instances);
        Assert.Equal(("old", "Order", 5000L), (instance.Id, instance.Name, instance.Created));
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private ValueTask<IndexedPage> ReadAsync(InstanceQuery query) => _store.ReadAsync(connection => InstanceIndex.Read(connection, query));
}
