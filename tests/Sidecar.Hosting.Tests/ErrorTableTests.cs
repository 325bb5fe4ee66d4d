using System.Text.Json;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>
/// The codes of Dapr's error table, each by a request over HTTP. Those that need a broker, a database or an actor that fails are in the recorded suites. What a sidecar
/// of its own never answers: ERR_PUBSUB_NOT_CONFIGURED (pub/sub is always there, a missing component is ERR_PUBSUB_NOT_FOUND), ERR_MALFORMED_REQUEST_DATA (what was
/// read from JSON can be written as JSON), ERR_CRYPTO_KEY (of the subtle API, which release builds answer with 501), ERR_CONFIGURATION_UNSUBSCRIBE (that body has only a
/// message), ERR_ACTOR_NO_ADDRESS and ERR_ACTOR_NO_APP_CHANNEL (1.18 answers ERR_ACTOR_INVOKE_METHOD: without an app no type is hosted), ERR_WORKFLOW_APP_ID_INVALID (1.19),
/// ERR_HEALTH_NOT_READY and ERR_ACTOR_RUNTIME_CLOSED (of moments of the start and the end).
/// </summary>
public sealed class ErrorTableTests(ErrorTableTests.Sidecars sidecars) : IClassFixture<ErrorTableTests.Sidecars>
{
    [Theory]
    [InlineData("GET", "/v1.0/state/s/k", "", 500, "ERR_STATE_STORE_NOT_CONFIGURED")]
    [InlineData("GET", "/v1.0/secrets/s/k", "", 500, "ERR_SECRET_STORES_NOT_CONFIGURED")]
    [InlineData("GET", "/v1.0/secrets/s/bulk", "", 500, "ERR_SECRET_STORES_NOT_CONFIGURED")]
    [InlineData("GET", "/v1.0/configuration/c?key=k", "", 500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED")]
    [InlineData("POST", "/v1.0-alpha1/lock/l", """{"resourceId":"r","lockOwner":"o","expiryInSeconds":1}""", 500, "ERR_LOCK_STORE_NOT_CONFIGURED")]
    [InlineData("POST", "/v1.0-alpha1/unlock/l", """{"resourceId":"r","lockOwner":"o"}""", 500, "ERR_LOCK_STORE_NOT_CONFIGURED")]
    [InlineData("PUT", "/v1.0-alpha1/crypto/c/encrypt", "x", 500, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED")]
    [InlineData("POST", "/v1.0-alpha1/subtlecrypto/c/getkey", "{}", 501, "ERR_API_UNIMPLEMENTED")]
    [InlineData("POST", "/v1.0-alpha1/subtlecrypto/c/sign", "{}", 501, "ERR_API_UNIMPLEMENTED")]
    [InlineData("POST", "/v1.0/publish/p/t", "1", 404, "ERR_PUBSUB_NOT_FOUND")]
    [InlineData("POST", "/v1.0/publish/bulk/p/t", "[]", 404, "ERR_PUBSUB_NOT_FOUND")]
    [InlineData("POST", "/v1.0/bindings/b", """{"operation":"create"}""", 500, "ERR_INVOKE_OUTPUT_BINDING")]
    [InlineData("GET", "/v1.0/invoke/nobody/method/m", "", 500, "ERR_DIRECT_INVOKE")]
    [InlineData("GET", "/nothing", "", 404, "ERR_DIRECT_INVOKE")]
    [InlineData("GET", "/v1.0/healthz?appid=other", "", 500, "ERR_HEALTH_APPID_NOT_MATCH")]
    [InlineData("POST", "/v1.0/actors/t/i/method/m", "", 400, "ERR_ACTOR_NO_PLACEMENT")]
    [InlineData("GET", "/v1.0/workflows/dapr/i", "", 400, "ERR_ACTOR_NO_PLACEMENT")]
    [InlineData("POST", "/v1.0-alpha1/conversation/c/converse", """{"inputs":[{"content":"x"}]}""", 400, "ERR_CONVERSATION_NOT_FOUND")]
    public Task Without_components(string method, string path, string body, int status, string code) => RefusesAsync(sidecars.Bare, method, path, body, status, code);

    [Theory]
    [InlineData("GET", "/v1.0/state/none/k", "", 400, "ERR_STATE_STORE_NOT_FOUND")]
    [InlineData("POST", "/v1.0/state/memory", "{", 400, "ERR_MALFORMED_REQUEST")]
    [InlineData("POST", "/v1.0/state/memory", """[{"key":"a||b","value":1}]""", 400, "ERR_MALFORMED_REQUEST")]
    [InlineData("POST", "/v1.0/state/memory", """[{"key":"k","value":1,"metadata":{"ttlInSeconds":"x"}}]""", 500, "ERR_STATE_SAVE")]
    [InlineData("POST", "/v1.0/state/memory", """[{"key":"none","value":1,"etag":"x"}]""", 409, "ERR_STATE_SAVE")]
    [InlineData("DELETE", "/v1.0/state/memory/none", "", 409, "ERR_STATE_DELETE", "If-Match", "x")]
    [InlineData("GET", "/v1.0/state/sealed/readable", "", 500, "ERR_STATE_GET")]
    [InlineData("POST", "/v1.0/state/memory/transaction", """{"operations":[{"operation":"look","request":{"key":"k"}}]}""", 400, "ERR_NOT_SUPPORTED_STATE_OPERATION")]
    [InlineData("POST", "/v1.0/state/memory/transaction", """{"operations":[{"operation":"upsert","request":{"key":"none","value":1,"etag":"x"}}]}""", 500, "ERR_STATE_TRANSACTION")]
    [InlineData("POST", "/v1.0-alpha1/state/memory/query", """{"filter":{}}""", 500, "ERR_STATE_STORE_NOT_SUPPORTED")]
    [InlineData("POST", "/v1.0/publish/p/t?metadata.rawPayload=perhaps", "1", 400, "ERR_PUBSUB_REQUEST_METADATA")]
    [InlineData("POST", "/v1.0/publish/p/secret", "1", 403, "ERR_PUBSUB_FORBIDDEN")]
    [InlineData("POST", "/v1.0/publish/bulk/p/t", """[{"entryId":"1","event":1},{"entryId":"1","event":2}]""", 400, "ERR_PUBSUB_EVENTS_SER")]
    [InlineData("GET", "/v1.0/secrets/none/k", "", 401, "ERR_SECRET_STORE_NOT_FOUND")]
    [InlineData("GET", "/v1.0/secrets/environment/FORBIDDEN", "", 403, "ERR_PERMISSION_DENIED")]
    [InlineData("GET", "/v1.0/secrets/file/none", "", 500, "ERR_SECRET_GET")]
    [InlineData("GET", "/v1.0/configuration/none?key=k", "", 400, "ERR_CONFIGURATION_STORE_NOT_FOUND")]
    [InlineData("GET", "/v1.0/configuration/config/subscribe?key=k", "", 500, "ERR_APP_CHANNEL_NIL")]
    [InlineData("POST", "/v1.0-alpha1/lock/none", """{"resourceId":"r","lockOwner":"o","expiryInSeconds":1}""", 400, "ERR_LOCK_STORE_NOT_FOUND")]
    [InlineData("POST", "/v1.0-alpha1/lock/locks", """{"resourceId":"","lockOwner":"o","expiryInSeconds":1}""", 400, "ERR_MALFORMED_REQUEST")]
    [InlineData("POST", "/v1.0/bindings/files", """{"operation":"jump"}""", 500, "ERR_INVOKE_OUTPUT_BINDING")]
    [InlineData("POST", "/v1.0/bindings/files", "{}", 500, "ERR_INVOKE_OUTPUT_BINDING")]
    [InlineData("PUT", "/v1.0-alpha1/crypto/none/encrypt", "x", 400, "ERR_CRYPTO_PROVIDER_NOT_FOUND", "dapr-key-name", "k")]
    [InlineData("PUT", "/v1.0-alpha1/crypto/keys/decrypt", "no document", 500, "ERR_CRYPTO")]
    [InlineData("POST", "/v1.0-alpha1/conversation/echo/converse", "{}", 400, "ERR_CONVERSATION_MISSING_INPUTS")]
    [InlineData("POST", "/v1.0-alpha2/conversation/echo/converse", """{"inputs":[{"messages":[{"ofUser":{"content":[{"text":"x"}]}}]}],"toolChoice":"nobody"}""", 400, "ERR_CONVERSATION_INVALID_PARMS")]
    [InlineData("POST", "/v1.0/jobs/j", """{"name":"k","dueTime":"1h"}""", 400, "DAPR_SCHEDULER_JOB_NAME")]
    [InlineData("POST", "/v1.0/jobs/j", "{}", 400, "DAPR_SCHEDULER_SCHEDULE_EMPTY")]
    [InlineData("POST", "/v1.0/jobs/j", """{"schedule":"never"}""", 500, "DAPR_SCHEDULER_SCHEDULE_JOB")]
    [InlineData("GET", "/v1.0/jobs/none", "", 500, "DAPR_SCHEDULER_GET_JOB")]
    [InlineData("GET", "/v1.0/metadata", "", 400, "ERR_BAD_REQUEST", "baggage", "no baggage;;=")]
    public Task With_components(string method, string path, string body, int status, string code, string header = "", string value = "") => RefusesAsync(sidecars.Full, method, path, body, status, code, header, value);

    private static async Task RefusesAsync(RunningSidecar sidecar, string method, string path, string body, int status, string code, string header = "", string value = "")
    {
        var (answered, text) = await sidecar.SendAsync(method, path, body.Length == 0 ? null : body, headers: header.Length == 0 ? [] : [(header, value)]);
        using var json = JsonDocument.Parse(text);
        Assert.Equal((status, code), ((int)answered, json.RootElement.GetProperty("errorCode").GetString()));
        Assert.NotEqual("", json.RootElement.GetProperty("message").GetString());
    }

    /// <summary>One without components, placement and scheduler, one with what the rows need.</summary>
    public sealed class Sidecars : IAsyncLifetime
    {
        internal RunningSidecar Bare { get; private set; } = null!;

        internal RunningSidecar Full { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Bare = await RunningSidecar.StartAsync([]);
            var file = Path.Combine(Bare.Folder.FullName, "secrets.json");
            await File.WriteAllTextAsync(file, $$"""{"key":"{{new string('a', 64)}}"}""");
            const string table = "connectionString: $DIR/state.db";
            Full = await RunningSidecar.StartAsync(
            [
                RunningSidecar.Component("memory", "state.in-memory"),
                RunningSidecar.Component("open", "state.sqlite", Item(table), ("keyPrefix", "none")),
                RunningSidecar.Component("sealed", "state.sqlite", Item(table), ("keyPrefix", "none")) + "  - name: primaryEncryptionKey\n    secretKeyRef:\n      name: key\n      key: key\nauth:\n  secretStore: file\n",
                RunningSidecar.Component("file", "secretstores.local.file", ("secretsFile", file)),
                RunningSidecar.Component("environment", "secretstores.local.env"),
                RunningSidecar.Component("p", "pubsub.in-memory", ("protectedTopics", "secret")),
                RunningSidecar.Component("config", "configuration.redis", ("redisHost", "localhost:6379")),
                RunningSidecar.Component("locks", "lock.redis", ("redisHost", "localhost:6379")),
                RunningSidecar.Component("files", "bindings.localstorage", ("rootPath", "$DIR/files")),
                RunningSidecar.Component("keys", "crypto.dapr.localstorage", ("path", "$DIR")),
                RunningSidecar.Component("echo", "conversation.echo"),
            ], configuration: "secrets: {scopes: [{storeName: environment, defaultAccess: deny}]}", change: o => o with { SchedulerHostAddress = "127.0.0.1:50006" });
            await Full.SendAsync("POST", "/v1.0/state/open", """[{"key":"readable","value":"plain"}]""");
        }

        public async ValueTask DisposeAsync()
        {
            await Full.DisposeAsync();
            await Bare.DisposeAsync();
        }

        private static (string, string) Item(string text) => (text.Split(": ")[0], text.Split(": ")[1]);
    }
}
