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
            return await _http.GetFromJsonAsync<StackStatus>("status", ControlServer.Json, cancel);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Returns when every unit serves or has failed several times; true for the first.</summary>
    public Task<bool> WaitSettledAsync(CancellationToken cancel) => _http.GetFromJsonAsync<bool>("settled", ControlServer.Json, cancel);

    public async IAsyncEnumerable<StackEvent> EventsAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        using var response = await _http.GetAsync("events", HttpCompletionOption.ResponseHeadersRead, cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancel));
        while (await ReadLineAsync(reader, cancel) is { } line)
            yield return JsonSerializer.Deserialize<StackEvent>(line, ControlServer.Json)!;
    }

    /// <exception cref="CommandException">There is no such app.</exception>
    public async Task AppAsync(string app, string verb, CancellationToken cancel)
    {
        using var response = await _http.PostAsync($"apps/{Uri.EscapeDataString(app)}/{verb}", null, cancel);
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
            return await _http.GetFromJsonAsync<IReadOnlyList<DeadLetter>>($"dlq?all={(all ? "true" : "false")}", ControlServer.Json, cancel) ?? [];
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
            using var response = await _http.PostAsJsonAsync("dlq/replay", ids, ControlServer.Json, cancel);
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
        using var response = await _http.PostAsync("stop", null, cancel);
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
