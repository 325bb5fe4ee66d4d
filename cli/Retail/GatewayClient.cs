using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.Retail;

/// <summary>An answer of the gateway; the body is null when it was not JSON.</summary>
internal sealed record GatewayAnswer(HttpStatusCode Status, JsonNode? Body, HttpResponseHeaders Headers)
{
    public bool Succeeded => (int)Status is >= 200 and < 300;

    public JsonNode? Data => Body?["data"];

    /// <summary>The problem's code, or the status where there is none.</summary>
    public string Code => (string?)Body?["code"] ?? $"http-{(int)Status}";

    public override string ToString() => $"{(int)Status} {Code}: {(string?)Body?["detail"] ?? (string?)Body?["title"]}";
}

/// <summary>
/// Calls the gateway as a patient client: no connection, 429 and 502 to 504 are tried again with growing pauses until the patience is over. Whatever is sent
/// is safe to repeat: reads, sign-ins, and orders with an idempotency key.
/// </summary>
internal sealed class GatewayClient : IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(45);

    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private readonly TimeSpan _patience;
    private long _retries;

    public GatewayClient(string address, TimeSpan patience, TimeProvider time)
    {
        (_patience, _time) = (patience, time);
        _http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = TimeSpan.FromSeconds(5) })
        {
            BaseAddress = new Uri(address.TrimEnd('/') + "/"),
            Timeout = RequestLimit,
        };
    }

    /// <summary>How often something was sent again.</summary>
    public long Retries => Interlocked.Read(ref _retries);

    public async Task<GatewayAnswer> SendAsync(HttpMethod method, string path, JsonNode? body, CancellationToken cancel, string? token = null,
        params (string Name, string Value)[] headers)
    {
        var started = _time.GetTimestamp();
        var pause = FirstPause;
        while (true)
        {
            string problem;
            try
            {
                using var request = new HttpRequestMessage(method, path);
                if (body is not null)
                    request.Content = JsonContent.Create(body);
                if (token is not null)
                    request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                foreach (var (name, value) in headers)
                    request.Headers.TryAddWithoutValidation(name, value);
                using var response = await _http.SendAsync(request, cancel);
                var answer = await ReadAsync(response, cancel);
                if (!IsTransient(answer.Status))
                    return answer;
                problem = answer.ToString();
                if (response.Headers.RetryAfter?.Delta is { } asked && asked > pause)
                    pause = asked;
            }
            catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
            {
                problem = e.Message;
            }

            if (_time.GetElapsedTime(started) + pause > _patience)
                throw new CommandException($"{method} {path} has not succeeded for {_patience.TotalSeconds:F0} s: {problem}");
            Interlocked.Increment(ref _retries);
            await Task.Delay(pause, _time, cancel);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    public void Dispose() => _http.Dispose();

    private static bool IsTransient(HttpStatusCode status) =>
        status is HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;

    private static async Task<GatewayAnswer> ReadAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        var text = await response.Content.ReadAsStringAsync(cancel);
        JsonNode? body = null;
        if (text.Length > 0)
        {
            try
            {
                body = JsonNode.Parse(text);
            }
            catch (JsonException)
            {
                body = null;
            }
        }

        return new GatewayAnswer(response.StatusCode, body, response.Headers);
    }
}
