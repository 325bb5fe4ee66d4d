using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>Client credentials of OAuth 2 (RFC 6749 §4.4).</summary>
/// <param name="Issuer">The token endpoint.</param>
internal sealed record McpOAuth2(Uri Issuer, string ClientId, string ClientSecret, string? Audience, IReadOnlyList<string> Scopes);

/// <summary>What makes requests to a server acceptable to it: fixed headers, and an access token that is fetched when it is needed and kept until it expires.</summary>
internal sealed class McpCredentials(IReadOnlyList<KeyValuePair<string, string>> headers, McpOAuth2? oauth2, HttpMessageInvoker http, TimeProvider time) : IDisposable
{
    // So long before its end a token is no longer used: it has to arrive.
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim _fetching = new(1);
    private (string Value, DateTimeOffset Until)? _token;

    /// <exception cref="McpException">No token is given out.</exception>
    public async ValueTask AddToAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content?.Headers.TryAddWithoutValidation(name, value);
        }

        if (oauth2 is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await TokenAsync(oauth2, cancellationToken).ConfigureAwait(false));
    }

    public void Dispose() => _fetching.Dispose();

    private async ValueTask<string> TokenAsync(McpOAuth2 from, CancellationToken cancellationToken)
    {
        await _fetching.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_token is { } known && known.Until > time.GetUtcNow())
                return known.Value;
            // Most take the credentials in a header, some only in the body: RFC 6749 §2.3.1 allows both.
            var (status, body) = await AskAsync(from, inHeader: from.ClientId.Length > 0, cancellationToken).ConfigureAwait(false);
            if (status is 400 or 401 && from.ClientId.Length > 0)
                (status, body) = await AskAsync(from, inHeader: false, cancellationToken).ConfigureAwait(false);
            if (status is < 200 or > 299)
                throw new McpException($"{from.Issuer} gives no token: {status}");
            using var json = JsonDocument.Parse(body);
            var token = json.RootElement.GetProperty("access_token").GetString() ?? throw new McpException($"{from.Issuer} gives no token");
            var lifetime = json.RootElement.TryGetProperty("expires_in", out var seconds) && seconds.TryGetDouble(out var given) ? TimeSpan.FromSeconds(Math.Clamp(given, 0, int.MaxValue)) : TimeSpan.FromHours(1);
            _token = (token, time.GetUtcNow() + lifetime - Margin);
            return token;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new McpException($"{from.Issuer} gives no token: {e.Message}", e);
        }
        finally
        {
            _fetching.Release();
        }
    }

    private async Task<(int Status, string Body)> AskAsync(McpOAuth2 from, bool inHeader, CancellationToken cancellationToken)
    {
        var form = new List<KeyValuePair<string, string>> { new("grant_type", "client_credentials") };
        if (from.Scopes.Count > 0)
            form.Add(new("scope", string.Join(' ', from.Scopes)));
        if (from.Audience is not null)
            form.Add(new("audience", from.Audience));
        using var request = new HttpRequestMessage(HttpMethod.Post, from.Issuer);
        if (inHeader)
        {
            var credentials = $"{Uri.EscapeDataString(from.ClientId)}:{Uri.EscapeDataString(from.ClientSecret)}";
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)));
        }
        else
        {
            if (from.ClientId.Length > 0)
                form.Add(new("client_id", from.ClientId));
            if (from.ClientSecret.Length > 0)
                form.Add(new("client_secret", from.ClientSecret));
        }

        request.Content = new FormUrlEncodedContent(form);
        using var response = await http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false));
    }
}
