using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using DaprPlatform.Cli.Control;

namespace DaprPlatform.Cli.Settings;

/// <summary>The configuration store of a running stack, through a sidecar that is in its scope. Services that follow a key see a change at once.</summary>
internal sealed class PlatformSettings : IDisposable
{
    public const string Store = "configstore";
    private const string Owner = "orders";
    private readonly HttpClient _http;

    /// <exception cref="CommandException">The stack has no such app.</exception>
    public PlatformSettings(StackStatus status)
    {
        var app = status.Apps.FirstOrDefault(a => a.App == Owner) ?? throw new CommandException($"The running stack has no app {Owner}, whose sidecar knows {Store}.");
        _http = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{app.DaprHttpPort}/")) };
    }

    /// <summary>What is set, by key.</summary>
    /// <exception cref="CommandException">The store does not answer.</exception>
    public async Task<IReadOnlyDictionary<string, string>> AllAsync(CancellationToken cancel)
    {
        using var response = await SendAsync(() => _http.GetAsync($"v1.0/configuration/{Store}", cancel));
        var values = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (response.StatusCode == HttpStatusCode.NoContent)
            return values;
        using var items = JsonDocument.Parse(await response.Content.ReadAsStreamAsync(cancel));
        foreach (var item in items.RootElement.EnumerateObject())
            values[item.Name] = item.Value.TryGetProperty("value", out var value) ? value.GetString() ?? "" : "";
        return values;
    }

    /// <exception cref="CommandException">The store does not answer, or is a real server's, whose own tools set its values.</exception>
    public async Task SetAsync(string key, string value, CancellationToken cancel)
    {
        using var response = await SendAsync(() => _http.PutAsync($"platform/configuration/{Store}/{Uri.EscapeDataString(key)}", new StringContent(value, Encoding.UTF8), cancel));
    }

    public void Dispose() => _http.Dispose();

    private static async Task<HttpResponseMessage> SendAsync(Func<Task<HttpResponseMessage>> send)
    {
        try
        {
            var response = await send();
            if (response.IsSuccessStatusCode)
                return response;
            using (response)
                throw new CommandException($"{Store} answers {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        }
        catch (HttpRequestException e)
        {
            throw new CommandException($"{Store} cannot be reached: {e.Message}", e);
        }
    }
}
