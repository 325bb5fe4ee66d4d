using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using DaprPlatform.Cli.DeadLetters;
using DaprPlatform.Cli.OpsConsole;

namespace DaprPlatform.Cli.Control;

/// <summary>Talks to the platform that runs on a data folder.</summary>
internal sealed class ControlClient : IDisposable
{
    private readonly HttpClient _http;

    public ControlClient(string socket)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancel);
                    return new NetworkStream(connection, ownsSocket: true);
                }
                catch
                {
                    connection.Dispose();
                    throw;
                }
            },
        };
        _http = new HttpClient(handler) { BaseAddress = new Uri("http://platform/"), Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Null when no platform runs there.</summary>
    public async Task<StackStatus?> StatusAsync(CancellationToken cancel)
    {
        try
        {
            return await _http.GetFromJsonAsync<StackStatus>("api/v1/status", ControlJson.Options, cancel);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Returns when every unit serves or has failed several times; true for the first.</summary>
    public Task<bool> WaitSettledAsync(CancellationToken cancel) => _http.GetFromJsonAsync<bool>("api/v1/settled", ControlJson.Options, cancel);

    /// <summary>Events since the start, and those that follow.</summary>
    public async IAsyncEnumerable<StackEvent> EventsAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        using var stream = await OpenStreamAsync("topics=events&lastEventId=start", cancel);
        await foreach (var (topic, data) in stream.ReadAsync(cancel))
        {
            if (topic == StreamTopics.Events)
                yield return JsonSerializer.Deserialize<StackEvent>(data, ControlJson.Options)!;
        }
    }

    /// <summary>What happens from when this returns.</summary>
    /// <param name="query">As of <c>GET /api/v1/stream</c>.</param>
    /// <param name="cancel">Ends the opening.</param>
    public async Task<ControlStream> OpenStreamAsync(string query, CancellationToken cancel)
    {
        var response = await _http.GetAsync($"api/v1/stream?{query}", HttpCompletionOption.ResponseHeadersRead, cancel);
        try
        {
            await RefuseAsync(response, cancel);
            var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancel));
            await reader.ReadLineAsync(cancel);
            return new ControlStream(response, reader);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <exception cref="CommandException">It was refused; the message is the problem's.</exception>
    public async Task<T> GetAsync<T>(string path, CancellationToken cancel)
    {
        using var response = await SendAsync(() => _http.GetAsync(path, cancel));
        await RefuseAsync(response, cancel);
        return await response.Content.ReadFromJsonAsync<T>(ControlJson.Options, cancel) ?? throw new CommandException($"{path} answers nothing.");
    }

    /// <exception cref="CommandException">It was refused; the message is the problem's.</exception>
    public async Task<T?> SendAsync<T>(HttpMethod method, string path, object? body, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body, options: ControlJson.Options) };
        using var response = await SendAsync(() => _http.SendAsync(request, cancel));
        await RefuseAsync(response, cancel);
        return response.StatusCode == HttpStatusCode.NoContent || response.Content.Headers.ContentLength == 0 ? default : await response.Content.ReadFromJsonAsync<T>(ControlJson.Options, cancel);
    }

    /// <exception cref="CommandException">There is no such app.</exception>
    public async Task AppAsync(string app, string verb, CancellationToken cancel)
    {
        using var response = await _http.PostAsync($"api/v1/apps/{Uri.EscapeDataString(app)}/{verb}", null, cancel);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            var problem = await response.Content.ReadFromJsonAsync<JsonElement>(cancel);
            throw new CommandException(problem.GetProperty("detail").GetString() ?? $"There is no app {app}.");
        }

        response.EnsureSuccessStatusCode();
    }

    /// <exception cref="CommandException">Nothing runs there.</exception>
    public async Task<IReadOnlyList<DeadLetter>> DeadLettersAsync(bool all, CancellationToken cancel) =>
        await GetAsync<List<DeadLetter>>($"api/v1/dead-letters?all={(all ? "true" : "false")}", cancel);

    /// <summary>How many were replayed.</summary>
    /// <param name="ids">Empty: all that were not.</param>
    /// <param name="cancel">Ends the waiting for the answer.</param>
    /// <exception cref="CommandException">Nothing runs there, or there is no such dead letter.</exception>
    public async Task<int> ReplayAsync(IReadOnlyCollection<string> ids, CancellationToken cancel)
    {
        if (ids.Count == 0)
            ids = [.. (await DeadLettersAsync(all: false, cancel)).Select(l => l.Id)];
        return ids.Count == 0 ? 0 : (await SendAsync<ReplayAnswer>(HttpMethod.Post, "api/v1/dead-letters/replay", new { ids }, cancel))!.Replayed;
    }

    public async Task StopAsync(CancellationToken cancel)
    {
        using var response = await _http.PostAsync("api/v1/stop", null, cancel);
        response.EnsureSuccessStatusCode();
    }

    public void Dispose() => _http.Dispose();

    private static async Task<HttpResponseMessage> SendAsync(Func<Task<HttpResponseMessage>> send)
    {
        try
        {
            return await send();
        }
        catch (HttpRequestException e) when (e.StatusCode is null)
        {
            throw new CommandException("Nothing runs there: start it with ./platform up", e);
        }
    }

    private static async Task RefuseAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        if (response.IsSuccessStatusCode)
            return;
        var text = await response.Content.ReadAsStringAsync(cancel);
        try
        {
            text = JsonDocument.Parse(text).RootElement.GetProperty("detail").GetString() ?? text;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            text = $"The platform answers {(int)response.StatusCode}: {text}";
        }

        throw new CommandException(text);
    }
}

/// <summary>A stream of server-sent events from the platform.</summary>
internal sealed class ControlStream(HttpResponseMessage response, StreamReader reader) : IDisposable
{
    /// <summary>Until the platform ends.</summary>
    public async IAsyncEnumerable<(string Topic, string Data)> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        var topic = "";
        while (await ReadLineAsync(cancel) is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal))
                topic = line["event: ".Length..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                yield return (topic, line["data: ".Length..]);
        }
    }

    public void Dispose()
    {
        reader.Dispose();
        response.Dispose();
    }

    private async Task<string?> ReadLineAsync(CancellationToken cancel)
    {
        try
        {
            return await reader.ReadLineAsync(cancel);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return null;
        }
    }
}
