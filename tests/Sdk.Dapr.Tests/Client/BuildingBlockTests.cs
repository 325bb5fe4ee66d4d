using System.Text;
using Dapr.Client;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Wire = Dapr.Proto.Runtime.V1;
using WireItem = Dapr.Proto.Common.V1.ConfigurationItem;

namespace DaprPlatform.Sdk.Tests.Client;

public sealed class BuildingBlockTests : SidecarTest
{
    static readonly Dictionary<string, string> Meta = new() { ["k"] = "v" };

    [Fact]
    public async Task A_binding_gets_and_gives_JSON()
    {
        Sidecar.Answer("InvokeBinding", new Wire.InvokeBindingResponse { Data = ByteString.CopyFromUtf8("[1,2]") });
        var answer = await Client.InvokeBindingAsync<object, int[]>("mail", "create", new { To = "x" }, Meta);
        Assert.Equal([1, 2], answer);
        var request = Sidecar.Single<Wire.InvokeBindingRequest>();
        Assert.Equal("""{"to":"x"}""", request.Data.ToStringUtf8());
        Assert.Equal(("mail", "create", "v"), (request.Name, request.Operation, request.Metadata["k"]));
    }

    [Fact]
    public async Task A_binding_without_an_answer_answers_the_default()
    {
        Assert.Null(await Client.InvokeBindingAsync<string?, int[]>("mail", "list", null));
        Assert.True(Sidecar.Single<Wire.InvokeBindingRequest>().Data.IsEmpty);
    }

    [Fact]
    public async Task A_binding_takes_bytes_as_they_are()
    {
        Sidecar.Answer("InvokeBinding", new Wire.InvokeBindingResponse { Data = ByteString.CopyFrom(9), Metadata = { ["m"] = "1" } });
        var request = new BindingRequest("files", "get") { Data = new byte[] { 1, 2 } };
        request.Metadata["fileName"] = "a";
        var response = await Client.InvokeBindingAsync(request);
        Assert.Same(request, response.Request);
        Assert.Equal([9], response.Data.ToArray());
        Assert.Equal("1", response.Metadata["m"]);
        Assert.Equal("""{ "name": "files", "data": "AQI=", "metadata": { "fileName": "a" }, "operation": "get" }""", Sidecar.Single<Wire.InvokeBindingRequest>().ToString());
    }

    [Fact]
    public async Task Secrets_come_as_maps()
    {
        Sidecar.Answer("GetSecret", new Wire.GetSecretResponse { Data = { ["db"] = "pw" } });
        Sidecar.Answer("GetBulkSecret", new Wire.GetBulkSecretResponse { Data = { ["a"] = new Wire.SecretResponse { Secrets = { ["a"] = "1" } } } });
        Assert.Equal("pw", (await Client.GetSecretAsync("vault", "db", Meta))["db"]);
        Assert.Equal("1", (await Client.GetBulkSecretAsync("vault"))["a"]["a"]);
        Assert.Equal("""{ "storeName": "vault", "key": "db", "metadata": { "k": "v" } }""", Sidecar.Grpc.First().Request.ToString());
    }

    [Fact]
    public async Task Configuration_items_come_with_their_versions()
    {
        Sidecar.Answer("GetConfiguration", new Wire.GetConfigurationResponse { Items = { ["limit"] = new WireItem { Value = "5", Version = "2", Metadata = { ["m"] = "x" } } } });
        var item = (await Client.GetConfiguration("config", ["limit"], Meta)).Items["limit"];
        Assert.Equal(("5", "2", "x"), (item.Value, item.Version, item.Metadata["m"]));
        Assert.Equal("""{ "storeName": "config", "keys": [ "limit" ], "metadata": { "k": "v" } }""", Sidecar.Single<Wire.GetConfigurationRequest>().ToString());
    }

    [Fact]
    public async Task A_configuration_subscription_has_its_id_from_the_first_message_on()
    {
        var subscription = await Client.SubscribeConfiguration("config", ["limit"]);
        Assert.Equal("", subscription.Id);
        await Sidecar.Next<Wire.SubscribeConfigurationRequest>();
        await Sidecar.ToSend.Writer.WriteAsync(new Wire.SubscribeConfigurationResponse { Id = "s1" });
        await Sidecar.ToSend.Writer.WriteAsync(new Wire.SubscribeConfigurationResponse { Id = "s1", Items = { ["limit"] = new WireItem { Value = "6" } } });
        Sidecar.ToSend.Writer.Complete();

        List<IDictionary<string, ConfigurationItem>> seen = [];
        await foreach (var items in subscription.Source)
            seen.Add(items);

        Assert.Equal("s1", subscription.Id);
        Assert.Empty(seen[0]);
        Assert.Equal("6", seen[1]["limit"].Value);
    }

    [Fact]
    public async Task A_configuration_subscription_ends_when_its_reader_is_cancelled()
    {
        using var cancel = new CancellationTokenSource();
        var subscription = await Client.SubscribeConfiguration("config", []);
        await Sidecar.ToSend.Writer.WriteAsync(new Wire.SubscribeConfigurationResponse { Id = "s1" });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in subscription.Source.WithCancellation(cancel.Token))
                await cancel.CancelAsync();
        });
    }

    [Fact]
    public async Task Unsubscribe_says_whether_it_did()
    {
        Sidecar.Answer("UnsubscribeConfiguration", new Wire.UnsubscribeConfigurationResponse { Ok = false, Message = "unknown" });
        var response = await Client.UnsubscribeConfiguration("config", "s1");
        Assert.Equal((false, "unknown"), (response.Ok, response.Message));
        Assert.Equal("""{ "storeName": "config", "id": "s1" }""", Sidecar.Single<Wire.UnsubscribeConfigurationRequest>().ToString());
    }

    [Fact]
    public async Task A_lock_that_was_taken_is_freed_when_it_is_disposed()
    {
        Sidecar.Answer("TryLockAlpha1", new Wire.TryLockResponse { Success = true });
        await using (var taken = await Client.Lock("locks", "res", "me", 60))
            Assert.True(taken.Success);
        Assert.Equal(["TryLockAlpha1", "UnlockAlpha1"], Sidecar.Grpc.Select(c => c.Method));
        Assert.Equal("""{ "storeName": "locks", "resourceId": "res", "lockOwner": "me", "expiryInSeconds": 60 }""", Sidecar.Grpc.First().Request.ToString());
        Assert.Equal("""{ "storeName": "locks", "resourceId": "res", "lockOwner": "me" }""", Sidecar.Grpc.Last().Request.ToString());
    }

    [Fact]
    public async Task A_lock_that_was_not_taken_is_not_freed()
    {
        await using (var taken = await Client.Lock("locks", "res", "me", 60))
            Assert.False(taken.Success);
        Assert.Single(Sidecar.Grpc);
    }

    [Theory]
    [InlineData(0, LockStatus.Success)]
    [InlineData(1, LockStatus.LockDoesNotExist)]
    [InlineData(2, LockStatus.LockBelongsToOthers)]
    [InlineData(3, LockStatus.InternalError)]
    public async Task Unlock_tells_the_outcomes_apart(int wire, LockStatus status)
    {
        Sidecar.Answer("UnlockAlpha1", new Wire.UnlockResponse { Status = (Wire.UnlockResponse.Types.Status)wire });
        Assert.Equal(status, (await Client.Unlock("locks", "res", "me")).status);
    }

    [Fact]
    public async Task Metadata_is_read_and_set()
    {
        Sidecar.Answer("GetMetadata", new Wire.GetMetadataResponse
        {
            Id = "orders",
            ActorRuntime = new Wire.ActorRuntime { ActiveActors = { new Wire.ActiveActorsCount { Type = "Cart", Count = 3 } } },
            ExtendedMetadata = { ["a"] = "b" },
            RegisteredComponents = { new Wire.RegisteredComponents { Name = "store", Type = "state.redis", Version = "v1", Capabilities = { "ETAG" } } },
        });
        var metadata = await Client.GetMetadataAsync();
        Assert.Equal(("orders", "Cart", 3, "b"), (metadata.Id, metadata.Actors[0].Type, metadata.Actors[0].Count, metadata.Extended["a"]));
        Assert.Equal(("store", "state.redis", "v1", "ETAG"), (metadata.Components[0].Name, metadata.Components[0].Type, metadata.Components[0].Version, metadata.Components[0].Capabilities[0]));

        await Client.SetMetadataAsync("x", "y");
        Assert.Equal("""{ "key": "x", "value": "y" }""", Sidecar.Grpc.Last().Request.ToString());
        await Client.ShutdownSidecarAsync();
        Assert.Equal("Shutdown", Sidecar.Grpc.Last().Method);
    }

    [Fact]
    public async Task Health_is_asked_over_HTTP()
    {
        using var client = Sidecar.Client(b => b.UseDaprApiToken("secret"));
        Assert.True(await client.CheckHealthAsync());
        Sidecar.AnswerHttp = c =>
        {
            c.Response.StatusCode = StatusCodes.Status500InternalServerError;
            return Task.CompletedTask;
        };
        Assert.False(await client.CheckOutboundHealthAsync());
        Assert.Equal(["GET /v1.0/healthz", "GET /v1.0/healthz/outbound"], Sidecar.Http.Select(r => $"{r.Method} {r.Target}"));
        Assert.All(Sidecar.Http, r => Assert.Equal("secret", r.Headers["dapr-api-token"]));
        using var nobody = new DaprClientBuilder().UseHttpEndpoint("http://127.0.0.1:1").Build();
        Assert.False(await nobody.CheckHealthAsync());
    }

    [Fact]
    public async Task Waiting_for_the_sidecar_ends_when_it_is_healthy()
    {
        Sidecar.AnswerHttp = c =>
        {
            c.Response.StatusCode = Sidecar.Http.Count < 2 ? StatusCodes.Status500InternalServerError : StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        };
        await Client.WaitForSidecarAsync(Token);
        Assert.Equal(2, Sidecar.Http.Count);
    }

    [Fact]
    public async Task Waiting_for_the_sidecar_can_be_cancelled()
    {
        using var cancel = new CancellationTokenSource();
        Sidecar.AnswerHttp = c =>
        {
            c.Response.StatusCode = StatusCodes.Status500InternalServerError;
            return cancel.CancelAsync();
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Client.WaitForSidecarAsync(cancel.Token));
    }

    [Fact]
    public async Task Encryption_sends_its_options_once_and_numbers_the_pieces()
    {
        var options = new EncryptionOptions(KeyWrapAlgorithm.RsaOaep256) { StreamingBlockSizeInBytes = 4, DecryptionKeyName = "other" };
        await Sidecar.ToSend.Writer.WriteAsync(new Wire.EncryptResponse { Payload = new() { Data = ByteString.CopyFromUtf8("se"), Seq = 0 } });
        await Sidecar.ToSend.Writer.WriteAsync(new Wire.EncryptResponse { Payload = new() { Data = ByteString.CopyFromUtf8("cret"), Seq = 1 } });
        Sidecar.ToSend.Writer.Complete();

        var encrypted = await Client.EncryptAsync("vault", Encoding.UTF8.GetBytes("plaintext"), "key", options);

        Assert.Equal("secret", Encoding.UTF8.GetString(encrypted.Span));
        var first = await Sidecar.Next<Wire.EncryptRequest>();
        Assert.Equal(
            """{ "componentName": "vault", "keyName": "key", "keyWrapAlgorithm": "RSA-OAEP-256", "dataEncryptionCipher": "aes-gcm", "decryptionKeyName": "other" }""", first.Options.ToString());
        Assert.Equal("plai", first.Payload.Data.ToStringUtf8());
        var second = await Sidecar.Next<Wire.EncryptRequest>();
        Assert.Null(second.Options);
        Assert.Equal((1ul, "ntex"), (second.Payload.Seq, second.Payload.Data.ToStringUtf8()));
        Assert.Equal("t", (await Sidecar.Next<Wire.EncryptRequest>()).Payload.Data.ToStringUtf8());
    }

    [Fact]
    public async Task Decryption_of_a_stream_gives_its_pieces_as_they_come()
    {
        var pieces = Client.DecryptAsync("vault", new MemoryStream([1, 2, 3]), "key").GetAsyncEnumerator(Token);
        await Sidecar.ToSend.Writer.WriteAsync(new Wire.DecryptResponse { Payload = new() { Data = ByteString.CopyFromUtf8("a") } });
        Assert.True(await pieces.MoveNextAsync());
        Assert.Equal("a"u8.ToArray(), pieces.Current.ToArray());
        Assert.Equal("""{ "componentName": "vault", "keyName": "key" }""", (await Sidecar.Next<Wire.DecryptRequest>()).Options.ToString());
        await pieces.DisposeAsync();
    }
}
