using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using DaprPlatform.Cli.DeadLetters;

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

    public async IAsyncEnumerable<StackEvent> EventsAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        const string data = "data: ";
        using var response = await _http.GetAsync("api/v1/stream?topics=events&lastEventId=start", HttpCompletionOption.ResponseHeadersRead, cancel);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancel));
        // One topic, and messages of one line of data each; a reset has none of a message's members.
        while (await ReadLineAsync(reader, cancel) is { } line)
        {
            if (line.StartsWith(data, StringComparison.Ordinal) && line.Length > data.Length + 2)
                yield return JsonSerializer.Deserialize<StackEvent>(line.AsSpan(data.Length), ControlJson.Options)!;
        }
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
    public async Task<IReadOnlyList<DeadLetter>> DeadLettersAsync(bool all, CancellationToken cancel)
    {
        try
        {
            return await _http.GetFromJsonAsync<IReadOnlyList<DeadLetter>>($"api/v1/dlq?all={(all ? "true" : "false")}", ControlJson.Options, cancel) ?? [];
        }
        catch (HttpRequestException e) when (e.StatusCode is null)
        {
            throw new CommandException("Nothing runs there: start it with ./platform up", e);
        }
    }

    /// <summary>How many were replayed.</summary>
    /// <exception cref="CommandException">Nothing runs there, or there is no such dead letter.</exception>
    public async Task<int> ReplayAsync(IReadOnlyCollection<string> ids, CancellationToken cancel)
    {
        try
        {
            using var response = await _http.PostAsJsonAsync("api/v1/dlq/replay", ids, ControlJson.Options, cancel);
            if (response.StatusCode == HttpStatusCode.NotFound)
                throw new CommandException((await response.Content.ReadFromJsonAsync<JsonElement>(cancel)).GetProperty("detail").GetString() ?? "There is no such dead letter.");
            response.EnsureSuccessStatusCode();
            return await response.Content.ReadFromJsonAsync<int>(cancel);
        }
        catch (HttpRequestException e) when (e.StatusCode is null)
        {
            throw new CommandException("Nothing runs there: start it with ./platform up", e);
        }
    }

    public async Task StopAsync(CancellationToken cancel)
    {
        using var response = await _http.PostAsync("api/v1/stop", null, cancel);
        response.EnsureSuccessStatusCode();
    }

    public void Dispose() => _http.Dispose();

    private static async Task<string?> ReadLineAsync(StreamReader reader, CancellationToken cancel)
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
