using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace DaprPlatform.Sidecar.Fuzzing.Tests;

public sealed class HttpFuzzTests(FuzzedSidecar sidecar) : IClassFixture<FuzzedSidecar>
{
    private const int Requests = 1500;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // Shutting down, and what waits for an app by design, is left out.
    private static readonly string[] Routes =
    [
        "v1.0/state/{}", "v1.0/state/{}/{}", "v1.0/state/{}/bulk", "v1.0/state/{}/transaction", "v1.0-alpha1/state/{}/query", "v1.0/publish/{}/{}", "v1.0/publish/bulk/{}/{}", "v1.0/secrets/{}/{}", "v1.0/secrets/{}/bulk",
        "v1.0/configuration/{}", "v1.0/configuration/{}/subscribe", "v1.0/configuration/{}/{}/unsubscribe", "v1.0-alpha1/lock/{}", "v1.0-alpha1/unlock/{}", "v1.0/bindings/{}", "v1.0/jobs/{}", "v1.0-alpha1/jobs/{}",
        "v1.0/actors/{}/{}/state", "v1.0/actors/{}/{}/state/{}", "v1.0/actors/{}/{}/reminders/{}", "v1.0/actors/{}/{}/timers/{}", "v1.0/actors/{}/{}/method/{}", "v1.0/workflows/{}/{}", "v1.0/workflows/{}/{}/start",
        "v1.0/workflows/{}/{}/terminate", "v1.0/workflows/{}/{}/raiseEvent/{}", "v1.0-alpha1/crypto/{}/encrypt", "v1.0-alpha1/crypto/{}/decrypt", "v1.0-alpha1/conversation/{}/converse", "v1.0-alpha2/conversation/{}/converse",
        "v1.0/metadata", "v1.0/metadata/{}", "v1.0/healthz", "v1.0/healthz/outbound", "v1.0/invoke/fuzzed/method/{}", "v1.0/{}", "{}", "v1.0/state/{}/{}/{}", "platform/configuration/{}/{}",
    ];

    private static readonly Gen<string> Target = Gen.Elements(Routes).SelectMany(r => Gen.ArrayOf(Inputs.Name, r.Split("{}").Length - 1).SelectMany(names => Inputs.Query.Select(q => "/" + Filled(r, names) + q)));

    private static readonly Gen<(string Method, string Target, KeyValuePair<string, string>[] Headers, byte[] Body)> Request =
        Gen.Elements("GET", "POST", "PUT", "DELETE", "POST", "PUT", "PATCH", "OPTIONS", "HEAD", "BREW").SelectMany(m => Target.SelectMany(t => Inputs.Headers.SelectMany(h => Inputs.Body.Select(b => (m, t, h, b)))));

    // Errors that Dapr's documentation or the transcripts show with 5xx.
    private static readonly HashSet<string> Documented =
    [
        "ERR_STATE_STORE_NOT_CONFIGURED", "ERR_STATE_GET", "ERR_STATE_SAVE", "ERR_STATE_DELETE", "ERR_STATE_BULK_GET", "ERR_STATE_TRANSACTION", "ERR_STATE_STORE_NOT_SUPPORTED", "ERR_STATE_QUERY", "ERR_PUBSUB_PUBLISH_MESSAGE",
        "ERR_PUBSUB_CLOUD_EVENTS_SER", "ERR_PUBLISH_OUTBOX", "ERR_DIRECT_INVOKE", "ERR_SECRET_GET", "ERR_SECRET_STORES_NOT_CONFIGURED", "ERR_CONFIGURATION_GET", "ERR_CONFIGURATION_SUBSCRIBE", "ERR_CONFIGURATION_UNSUBSCRIBE", "ERR_TRY_LOCK",
        "ERR_UNLOCK", "ERR_INVOKE_OUTPUT_BINDING", "ERR_CRYPTO", "ERR_CRYPTO_KEY", "ERR_CONVERSATION_INVOKE", "DAPR_SCHEDULER_SCHEDULE_JOB", "DAPR_SCHEDULER_GET_JOB", "DAPR_SCHEDULER_DELETE_JOB", "ERR_API_UNIMPLEMENTED", "ERR_APP_CHANNEL_NIL",
        "ERR_START_WORKFLOW", "ERR_GET_WORKFLOW", "ERR_TERMINATE_WORKFLOW", "ERR_RAISE_EVENT_WORKFLOW", "ERR_PAUSE_WORKFLOW", "ERR_RESUME_WORKFLOW", "ERR_PURGE_WORKFLOW", "ERR_HEALTH_APPID_NOT_MATCH", "ERR_MALFORMED_REQUEST_DATA", "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", "ERR_INTERNAL",
    ];

    [Fact]
    public async Task No_request_makes_an_undocumented_error_or_an_exception()
    {
        var answered = 0;
        var unanswered = new List<string>();
        foreach (var (method, target, headers, body) in Inputs.Sample(Request, Requests, 1))
        {
            var (status, text) = await SendAsync(method, target, headers, body);
            answered += status == 0 ? 0 : 1;
            if (status == 0) unanswered.Add($"{method} {target} [{string.Join(", ", headers)}] {Show(body)}");
            var failures = sidecar.TakeFailures();
            Assert.True(failures.Length == 0, $"{method} {target} with {Show(body)}: {string.Join('\n', failures)}");
            Assert.True(status is 0 or (>= 200 and < 500) || method == "HEAD" || IsDocumented(status, text), $"{method} {target} [{string.Join(", ", headers)}] with {Show(body)}: {status} {text}");
        }

        Assert.True(answered > Requests * 9 / 10, string.Join("\n", unanswered.Take(30)));
        Assert.True(sidecar.IsHealthy);
        Assert.Equal(204, (await SendAsync("GET", "/v1.0/healthz", [], [])).Status);
    }

    [Fact]
    public async Task Memory_stays_bounded_whatever_is_sent()
    {
        var requests = Inputs.Sample(Request, 400, 2).ToArray();
        await SendAllAsync(requests);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < 3; i++)
            await SendAllAsync(requests);
        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.True(grown < 24 << 20, $"{grown >> 20} MB more after the same requests three more times");
    }

    [Fact]
    public async Task Bytes_that_are_no_HTTP_are_refused_and_the_sidecar_goes_on()
    {
        foreach (var bytes in Inputs.Sample(Gen.Choose(0, 400).SelectMany(n => Gen.ArrayOf(Gen.Choose(0, 255), n)), 150, 3))
            await ExchangeAsync([.. bytes.Select(b => (byte)b)], isWhole: false);
        Assert.Empty(sidecar.TakeFailures());
        Assert.Equal(204, (await SendAsync("GET", "/v1.0/healthz", [], [])).Status);
    }

    private async Task SendAllAsync((string Method, string Target, KeyValuePair<string, string>[] Headers, byte[] Body)[] requests)
    {
        foreach (var (method, target, headers, body) in requests)
            await SendAsync(method, target, headers, body);
        sidecar.TakeFailures();
    }

    // By hand, so that nothing puts the request right on its way. Status 0: the connection was closed.
    private async Task<(int Status, string Text)> SendAsync(string method, string target, KeyValuePair<string, string>[] headers, byte[] body)
    {
        var head = new StringBuilder($"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {body.Length.ToString(CultureInfo.InvariantCulture)}\r\n");
        foreach (var (name, value) in headers.Where(h => h.Key != "expect"))
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        var answer = await ExchangeAsync([.. Encoding.UTF8.GetBytes(head.Append("\r\n").ToString()), .. body], isWhole: true);
        var line = answer.IndexOf("\r\n", StringComparison.Ordinal);
        var status = line > 12 && int.TryParse(answer.AsSpan(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var code) ? code : 0;
        var start = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        return (status, start < 0 ? "" : answer[(start + 4)..]);
    }

    // What is no whole request is never answered but to the end of the connection.
    private async Task<string> ExchangeAsync(byte[] request, bool isWhole)
    {
        using var limit = new CancellationTokenSource(Patience);
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", sidecar.HttpPort, limit.Token);
        var stream = client.GetStream();
        using var answer = new MemoryStream();
        try
        {
            await stream.WriteAsync(request, limit.Token);
            if (!isWhole)
                client.Client.Shutdown(SocketShutdown.Send);
            await stream.CopyToAsync(answer, limit.Token);
        }
        catch (IOException)
        {
            // Answered before it was read to its end.
        }

        return Encoding.UTF8.GetString(answer.ToArray());
    }

    private static bool IsDocumented(int status, string text)
    {
        if (status == 501)
            return true;
        try
        {
            using var json = JsonDocument.Parse(text);
            return json.RootElement.ValueKind == JsonValueKind.Object
                && (json.RootElement.TryGetProperty("errorCode", out var code) ? Documented.Contains(code.GetString() ?? "") : json.RootElement.TryGetProperty("message", out _));
        }
        catch (JsonException)
        {
            return text.Contains("errorCode", StringComparison.Ordinal);
        }
    }

    // In a path, what would end the request line is percent-encoded; all else is sent as it is.
    private static string Filled(string route, string[] names)
    {
        var parts = route.Split("{}");
        var filled = new StringBuilder(parts[0]);
        for (var i = 0; i < names.Length; i++)
        {
            foreach (var c in names[i])
                _ = c <= ' ' || c == '?' || c == '#' || char.IsSurrogate(c) ? filled.Append(CultureInfo.InvariantCulture, $"%{(int)c & 0xff:X2}") : filled.Append(c);
            filled.Append(parts[i + 1]);
        }

        return filled.ToString();
    }

    private static string Show(byte[] body) => body.Length > 300 ? $"{body.Length} bytes" : Encoding.UTF8.GetString(body);
}
