using Dapr;
using Dapr.Client;
using Google.Protobuf;
using Grpc.Core;
using Wire = Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sdk.Tests.Client;

public sealed class StateTests : SidecarTest
{
    sealed record Cart(string Id, long Cents);

    static readonly Dictionary<string, string> Ttl = new() { ["ttlInSeconds"] = "60" };

    [Fact]
    public async Task A_value_is_read_from_JSON_with_its_etag()
    {
        Sidecar.Answer("GetState", new Wire.GetStateResponse { Data = ByteString.CopyFromUtf8("""{"id":"c1","cents":9007199254740993}"""), Etag = "7" });

        var (cart, etag) = await Client.GetStateAndETagAsync<Cart>("store", "c1", ConsistencyMode.Strong, Ttl);

        Assert.Equal(new Cart("c1", 9007199254740993), cart);
        Assert.Equal("7", etag);
        var request = Sidecar.Single<Wire.GetStateRequest>();
        Assert.Equal("""{ "storeName": "store", "key": "c1", "consistency": "CONSISTENCY_STRONG", "metadata": { "ttlInSeconds": "60" } }""", request.ToString());
    }

    [Fact]
    public async Task A_missing_key_is_the_default_with_an_empty_etag()
    {
        Assert.Null(await Client.GetStateAsync<Cart>("store", "none"));
        Assert.Equal(0, await Client.GetStateAsync<int>("store", "none"));
        var (value, etag) = await Client.GetStateAndETagAsync<Cart>("store", "none");
        Assert.Null(value);
        Assert.Equal("", etag);
        Assert.True((await Client.GetByteStateAsync("store", "none")).IsEmpty);
    }

    [Fact]
    public async Task A_value_that_is_no_JSON_of_the_type_is_an_error_that_says_so()
    {
        Sidecar.Answer("GetState", new Wire.GetStateResponse { Data = ByteString.CopyFromUtf8("[1]") });
        var e = await Assert.ThrowsAsync<DaprException>(() => Client.GetStateAsync<Cart>("store", "c1"));
        Assert.IsType<System.Text.Json.JsonException>(e.InnerException);
    }

    [Fact]
    public async Task A_value_is_saved_as_JSON_without_etag_or_options()
    {
        await Client.SaveStateAsync("store", "c1", new Cart("c1", 5), metadata: Ttl);

        var item = Assert.Single(Sidecar.Single<Wire.SaveStateRequest>().States);
        Assert.Equal("""{"id":"c1","cents":5}""", item.Value.ToStringUtf8());
        Assert.Null(item.Etag);
        Assert.Null(item.Options);
        Assert.Equal("60", item.Metadata["ttlInSeconds"]);
    }

    [Fact]
    public async Task A_null_value_is_saved_as_no_value()
    {
        await Client.SaveStateAsync<Cart?>("store", "c1", null);
        Assert.True(Assert.Single(Sidecar.Single<Wire.SaveStateRequest>().States).Value.IsEmpty);
    }

    [Theory]
    [InlineData(ConcurrencyMode.FirstWrite, ConsistencyMode.Strong, 1, 2)]
    [InlineData(ConcurrencyMode.LastWrite, ConsistencyMode.Eventual, 2, 1)]
    [InlineData(null, null, 0, 0)]
    public async Task Options_are_sent_as_their_numbers(ConcurrencyMode? concurrency, ConsistencyMode? consistency, int wireConcurrency, int wireConsistency)
    {
        await Client.SaveStateAsync("store", "k", 1, new StateOptions { Concurrency = concurrency, Consistency = consistency });
        var options = Assert.Single(Sidecar.Single<Wire.SaveStateRequest>().States).Options;
        Assert.Equal((wireConcurrency, wireConsistency), ((int)options.Concurrency, (int)options.Consistency));
    }

    [Fact]
    public async Task A_stale_etag_is_refused_without_an_exception()
    {
        Sidecar.Refuse("SaveState", StatusCode.Aborted);
        Sidecar.Refuse("DeleteState", StatusCode.Aborted);
        Assert.False(await Client.TrySaveStateAsync("store", "k", 1, "old"));
        Assert.False(await Client.TrySaveByteStateAsync("store", "k", new byte[] { 1 }, "old"));
        Assert.False(await Client.TryDeleteStateAsync("store", "k", "old"));
    }

    [Fact]
    public async Task The_etag_is_sent_even_if_it_is_empty()
    {
        Assert.True(await Client.TrySaveStateAsync("store", "k", 1, ""));
        Assert.Equal("", Assert.Single(Sidecar.Single<Wire.SaveStateRequest>().States).Etag.Value);
    }

    [Fact]
    public async Task An_invalid_etag_is_an_exception()
    {
        Sidecar.Refuse("SaveState", StatusCode.InvalidArgument, "invalid etag");
        var e = await Assert.ThrowsAsync<DaprException>(() => Client.TrySaveStateAsync("store", "k", 1, "x"));
        Assert.Equal(StatusCode.InvalidArgument, Assert.IsType<RpcException>(e.InnerException).StatusCode);
    }

    [Fact]
    public async Task Without_an_etag_a_conflict_is_an_exception()
    {
        Sidecar.Refuse("SaveState", StatusCode.Aborted);
        await Assert.ThrowsAsync<DaprException>(() => Client.SaveStateAsync("store", "k", 1));
        Sidecar.Refuse("DeleteState", StatusCode.Aborted);
        await Assert.ThrowsAsync<DaprException>(() => Client.DeleteStateAsync("store", "k"));
    }

    [Fact]
    public async Task Delete_carries_etag_options_and_metadata()
    {
        Assert.True(await Client.TryDeleteStateAsync("store", "k", "3", new StateOptions { Concurrency = ConcurrencyMode.FirstWrite }, Ttl));
        Assert.Equal(
            """{ "storeName": "store", "key": "k", "etag": { "value": "3" }, "options": { "concurrency": "CONCURRENCY_FIRST_WRITE" }, "metadata": { "ttlInSeconds": "60" } }""",
            Sidecar.Single<Wire.DeleteStateRequest>().ToString());
    }

    [Fact]
    public async Task Bytes_go_and_come_as_they_are()
    {
        byte[] bytes = [0, 255, (byte)'"'];
        await Client.SaveByteStateAsync("store", "k", bytes);
        Assert.Equal(bytes, Assert.Single(Sidecar.Single<Wire.SaveStateRequest>().States).Value.ToByteArray());

        Sidecar.Answer("GetState", new Wire.GetStateResponse { Data = ByteString.CopyFrom(bytes), Etag = "1" });
        var (value, etag) = await Client.GetByteStateAndETagAsync("store", "k");
        Assert.Equal(bytes, value.ToArray());
        Assert.Equal("1", etag);
    }

    [Fact]
    public async Task A_transaction_carries_its_operations_in_order()
    {
        await Client.ExecuteStateTransactionAsync(
            "store",
            [
                new StateTransactionRequest("a", "1"u8.ToArray(), StateOperationType.Upsert, "4", Ttl, new StateOptions { Consistency = ConsistencyMode.Strong }),
                new StateTransactionRequest("b", null, StateOperationType.Delete),
            ],
            new Dictionary<string, string> { ["partitionKey"] = "p" });

        Assert.Equal(
            """{ "storeName": "store", "operations": [ { "operationType": "upsert", "request": { "key": "a", "value": "MQ==", "etag": { "value": "4" }, "metadata": { "ttlInSeconds": "60" }, "options": { "consistency": "CONSISTENCY_STRONG" } } }, { "operationType": "delete", "request": { "key": "b" } } ], "metadata": { "partitionKey": "p" } }""",
            Sidecar.Single<Wire.ExecuteStateTransactionRequest>().ToString());
    }

    [Fact]
    public async Task A_bulk_read_keeps_the_order_and_types_values()
    {
        var answer = new Wire.GetBulkStateResponse
        {
            Items = { new Wire.BulkStateItem { Key = "b", Data = ByteString.CopyFromUtf8("""{"id":"b","cents":1}"""), Etag = "1" }, new Wire.BulkStateItem { Key = "a" } },
        };
        Sidecar.Answer("GetBulkState", answer);

        var typed = await Client.GetBulkStateAsync<Cart>("store", ["b", "a"], 2, Ttl);
        Assert.Equal(["b", "a"], typed.Select(i => i.Key));
        Assert.Equal([new Cart("b", 1), null], typed.Select(i => i.Value));
        Assert.Equal(["1", ""], typed.Select(i => i.ETag));
        var text = await Client.GetBulkStateAsync("store", ["b", "a"], null);
        Assert.Equal("""{"id":"b","cents":1}""", text[0].Value);
        Assert.Equal([2, 0], Sidecar.Grpc.Select(c => ((Wire.GetBulkStateRequest)c.Request).Parallelism));
    }

    [Fact]
    public async Task A_key_that_could_not_be_read_does_not_look_like_a_missing_one()
    {
        Sidecar.Answer("GetBulkState", new Wire.GetBulkStateResponse { Items = { new Wire.BulkStateItem { Key = "a", Error = "broken" } } });
        var e = await Assert.ThrowsAsync<DaprException>(() => Client.GetBulkStateAsync<Cart>("store", ["a"], null));
        Assert.Contains("broken", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bulk_writes_are_one_request()
    {
        await Client.SaveBulkStateAsync("store", [new SaveStateItem<int>("a", 1, "2"), new SaveStateItem<int>("b", 2, null, new StateOptions { Concurrency = ConcurrencyMode.FirstWrite }, Ttl)]);
        var states = Sidecar.Single<Wire.SaveStateRequest>().States;
        Assert.Equal(["1", "2"], states.Select(s => s.Value.ToStringUtf8()));
        Assert.Equal("2", states[0].Etag.Value);
        Assert.Null(states[1].Etag);

        Sidecar.Grpc.Clear();
        await Client.DeleteBulkStateAsync("store", [new BulkDeleteStateItem("a", "2"), new BulkDeleteStateItem("b", null)]);
        Assert.Equal("""{ "storeName": "store", "states": [ { "key": "a", "etag": { "value": "2" } }, { "key": "b" } ] }""", Sidecar.Single<Wire.DeleteBulkStateRequest>().ToString());
    }

    [Fact]
    public async Task A_query_returns_its_page()
    {
        Sidecar.Answer("QueryStateAlpha1", new Wire.QueryStateResponse { Token = "next", Results = { new Wire.QueryStateItem { Key = "a", Data = ByteString.CopyFromUtf8("5"), Etag = "1" } } });
        var page = await Client.QueryStateAsync<int>("store", """{"filter":{}}""");
        Assert.Equal(("next", "a", 5, "1"), (page.Token, page.Results[0].Key, page.Results[0].Data, page.Results[0].ETag));
        Assert.Equal("""{"filter":{}}""", Sidecar.Single<Wire.QueryStateRequest>().Query);
    }

    [Fact]
    public async Task A_query_with_values_that_could_not_be_read_names_them()
    {
        Sidecar.Answer("QueryStateAlpha1", new Wire.QueryStateResponse { Results = { new Wire.QueryStateItem { Key = "a", Error = "gone" }, new Wire.QueryStateItem { Key = "b", Data = ByteString.CopyFromUtf8("5") } } });
        var e = await Assert.ThrowsAsync<StateQueryException<int>>(() => Client.QueryStateAsync<int>("store", "{}"));
        Assert.Equal(["a"], e.FailedKeys);
        Assert.Equal(5, e.Response.Results[1].Data);
    }

    [Fact]
    public async Task An_entry_saves_and_deletes_under_the_etag_it_was_read_with()
    {
        Sidecar.Answer("GetState", new Wire.GetStateResponse { Data = ByteString.CopyFromUtf8("1"), Etag = "9" });
        var entry = await Client.GetStateEntryAsync<int>("store", "k");
        Sidecar.Grpc.Clear();
        entry.Value++;

        Assert.True(await entry.TrySaveAsync());
        var item = Assert.Single(Sidecar.Single<Wire.SaveStateRequest>().States);
        Assert.Equal(("2", "9"), (item.Value.ToStringUtf8(), item.Etag.Value));

        Sidecar.Grpc.Clear();
        await entry.SaveAsync();
        Assert.Null(Assert.Single(Sidecar.Single<Wire.SaveStateRequest>().States).Etag);

        Sidecar.Grpc.Clear();
        Sidecar.Refuse("DeleteState", StatusCode.Aborted);
        Assert.False(await entry.TryDeleteAsync());
        Assert.Equal("9", Sidecar.Single<Wire.DeleteStateRequest>().Etag.Value);
    }

    [Fact]
    public async Task Names_must_not_be_empty()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Client.GetStateAsync<int>("", "k"));
        await Assert.ThrowsAsync<ArgumentNullException>(() => Client.SaveStateAsync("store", null!, 1));
        await Assert.ThrowsAsync<ArgumentException>(() => Client.ExecuteStateTransactionAsync("store", []));
        Assert.Empty(Sidecar.Grpc);
    }
}
