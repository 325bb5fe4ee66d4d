using System.Text;
using FsCheck;
using FsCheck.Fluent;

// What is measured is the memory of the process.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace DaprPlatform.Sidecar.Fuzzing.Tests;

/// <summary>What no client sends in earnest. The same in every run: a failure found once is found again.</summary>
internal static class Inputs
{
    private const ulong Seed = 20261121;

    public static readonly string[] Names =
    [
        "memory", "sqlite", "redis", "etcd", "pubsub", "kafka", "streams", "locks", "config", "secrets", "files", "texts", "echo", "keys", "ghost", "fuzzed", "k", "a||b", "", ".", "..", "...", " ", "+", "*",
        "null", "0", "-1", "%00", "%2F", "%2e%2e%2f", "%zz", "%", "%E4", "%F0%9F%98%80", "ü", "日本", "{x}", "[1]", "a:b", "a;b=c", "a&b", "a=b", "a,b", "'", "\"", "\\", "|", "~", "bulk", "transaction", "subscribe",
        new string('x', 600), new string('%', 50), "/", "//", "a/b/c", "\u202e", "CON", "-", "_", "1e999", "true",
    ];

    private static readonly string[] Scalars =
    [
        "null", "true", "false", "0", "-1", "1", "1.5", "-0", "1e999", "-1e-999", "9007199254740993", "18446744073709551616", "\"\"", "\"k\"", "\"a||b\"", "\"memory\"", "\"create\"", "\"upsert\"", "\"delete\"", "\"1h\"",
        "\"@every 1h\"", "\"first-write\"", "\"strong\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\uD83D\\uDE00\"", "\"<&>\\u2028\"", "\"2026-01-01T00:00:00Z\"", "\"YmFzZTY0\"", "\"..\"", "{}", "[]", "[[]]", "[null]", "{\"\":null}",
    ];

    private static readonly string[] Members =
    [
        "key", "keys", "value", "etag", "metadata", "options", "concurrency", "consistency", "contentType", "operations", "operation", "request", "parallelism", "filter", "sort", "page", "limit", "token", "EQ", "AND", "IN",
        "entryId", "event", "data", "resourceId", "lockOwner", "expiryInSeconds", "schedule", "repeats", "dueTime", "ttl", "overwrite", "failurePolicy", "constant", "drop", "interval", "maxRetries", "name", "inputs", "messages",
        "content", "role", "ofUser", "tools", "toolChoice", "temperature", "parameters", "scrubPii", "ttlInSeconds", "rawPayload", "partitionKey", "fileName", "", "__proto__", "$ref", "@type",
    ];

    public static IEnumerable<T> Sample<T>(Gen<T> of, int count, ulong salt) => Gen.Sample(of, count, new Rnd(Seed + salt), 30);

    public static Gen<string> Name { get; } = Gen.Frequency((8, Gen.Elements(Names)), (1, Text(40)));

    /// <summary>Any characters, controls and lone surrogates too.</summary>
    public static Gen<string> Text(int longest) => Gen.Choose(0, longest).SelectMany(n => Gen.ArrayOf(Gen.Frequency((6, Gen.Choose(32, 126)), (1, Gen.Choose(0, 0xffff))), n)).Select(c => new string([.. c.Select(x => (char)x)]));

    /// <summary>JSON of members the API knows, in places where it does not expect them.</summary>
    public static Gen<string> Json(int depth) => depth == 0
        ? Gen.Elements(Scalars)
        : Gen.Frequency(
            (3, Gen.Elements(Scalars)),
            (4, Gen.Choose(0, 5).SelectMany(n => Gen.ArrayOf(Gen.Elements(Members).SelectMany(m => Json(depth - 1).Select(v => $"\"{m}\":{v}")), n)).Select(m => "{" + string.Join(',', m) + "}")),
            (2, Gen.Choose(0, 4).SelectMany(n => Gen.ArrayOf(Json(depth - 1), n)).Select(v => "[" + string.Join(',', v) + "]")));

    /// <summary>Bodies: JSON, JSON that was damaged, bytes of any kind, and some that are meant to hurt.</summary>
    public static Gen<byte[]> Body { get; } = Gen.Frequency(
        (6, Json(4).Select(Encoding.UTF8.GetBytes)),
        (3, Json(4).SelectMany(j => Gen.Choose(0, Math.Max(0, j.Length - 1)).SelectMany(at => Gen.Choose(0, 255).Select(b => Damaged(j, at, (byte)b))))),
        (2, Gen.Choose(0, 200).SelectMany(n => Gen.ArrayOf(Gen.Choose(0, 255), n)).Select(b => b.Select(x => (byte)x).ToArray())),
        (1, Gen.Elements(Hostile())));

    public static Gen<KeyValuePair<string, string>[]> Headers { get; } = Gen.Choose(0, 4).SelectMany(n => Gen.ArrayOf(
        Gen.Elements("content-type", "if-match", "dapr-app-id", "dapr-api-token", "traceparent", "tracestate", "baggage", "accept", "expect", "dapr-key-name", "dapr-key-wrap-algorithm", "content-encoding", "authorization", "x-" + new string('y', 300), "te", "origin",
                "access-control-request-method")
            .SelectMany(name => Gen.Elements("", "application/json", "application/cloudevents+json", "application/octet-stream", "text/plain; charset=x", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-zz", "a=b,c", "=,=;", "ü", "basic ZGFwci1hcHAtaWQ6eA==", "*", "7",
                    "fuzzed", "100-continue", "gzip", "a256kw", "GET", new string('v', 3000))
                .Select(value => KeyValuePair.Create(name, value))), n));

    public static Gen<string> Query { get; } = Gen.Choose(0, 3).SelectMany(n => Gen.ArrayOf(
        Gen.Elements("metadata.ttlInSeconds", "metadata.rawPayload", "metadata.partitionKey", "metadata.cloudevent.id", "metadata.", "consistency", "concurrency", "key", "appid", "instanceID", "metadata.delete", "version", "")
            .SelectMany(k => Name.Select(v => $"{k}={Uri.EscapeDataString(Sound(v))}")), n)).Select(q => q.Length == 0 ? "" : "?" + string.Join('&', q));

    private static string Sound(string text) => new([.. text.Select(c => char.IsSurrogate(c) ? '?' : c)]);

    private static byte[] Damaged(string json, int at, byte with)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        if (bytes.Length == 0)
            return [with];
        bytes[at % bytes.Length] = with;
        return with % 3 == 0 ? bytes[..(at % bytes.Length)] : bytes;
    }

    private static byte[][] Hostile() =>
    [
        [],
        Encoding.UTF8.GetBytes(new string('[', 20_000)),
        Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", 5_000))),
        Encoding.UTF8.GetBytes("[" + new string('9', 100_000) + "]"),
        Encoding.UTF8.GetBytes("\"" + new string('x', 200_000) + "\""),
        [0xEF, 0xBB, 0xBF, (byte)'{', (byte)'}'],
        [0xFF, 0xFE, (byte)'[', 0],
        new byte[300_000],
        Encoding.UTF8.GetBytes("[" + string.Join(',', Enumerable.Range(0, 3000).Select(i => $"{{\"key\":\"k{i % 7}\",\"value\":{i}}}")) + "]"),
    ];
}
