using System.Diagnostics.CodeAnalysis;
using Dapr.Common;

namespace Dapr.Client;

/// <summary>Sends requests to the app whose id is the host of the address, by way of the sidecar.</summary>
public class InvocationHandler : DelegatingHandler
{
    readonly string? _apiToken;
    Uri _endpoint = new(DaprDefaults.GetDefaultHttpEndpoint());
    string _given = DaprDefaults.GetDefaultHttpEndpoint();

    /// <summary>A handler for the default sidecar.</summary>
    public InvocationHandler()
    {
    }

    internal InvocationHandler(string? apiToken) => _apiToken = apiToken;

    /// <summary>The sidecar's HTTP address.</summary>
    /// <exception cref="ArgumentException">It is no absolute address.</exception>
    [SuppressMessage("Design", "CA1056", Justification = "The package has a string here.")]
    public string DaprEndpoint
    {
        get => _given;
        set
        {
            if (!Uri.TryCreate(value, UriKind.Absolute, out var uri))
                throw new ArgumentException($"The Dapr endpoint '{value}' is not an absolute URI.", nameof(value));
            _endpoint = uri;
            _given = value;
        }
    }

    /// <summary>An app id as it is really spelt: addresses put their hosts into lower case.</summary>
    public string? DefaultAppId { get; set; }

    /// <inheritdoc />
    /// <exception cref="ArgumentException">The address is not absolute.</exception>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var original = request.RequestUri;
        if (original is not { IsAbsoluteUri: true } || (original.Scheme != Uri.UriSchemeHttp && original.Scheme != Uri.UriSchemeHttps))
            throw new ArgumentException($"The request URI '{original}' is not a valid Dapr service invocation destination.", nameof(request));

        try
        {
            request.RequestUri = Rewrite(original);
            if (!string.IsNullOrWhiteSpace(_apiToken))
            {
                // The last to set it wins, so that a retried request does not carry it twice.
                request.Headers.Remove(DaprHeaders.ApiToken);
                request.Headers.TryAddWithoutValidation(DaprHeaders.ApiToken, _apiToken);
            }

            return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            request.RequestUri = original;
        }
    }

    Uri Rewrite(Uri uri)
    {
        var appId = string.Equals(uri.Host, DefaultAppId, StringComparison.OrdinalIgnoreCase) ? DefaultAppId : uri.Host;
        return new Uri(_endpoint, $"/v1.0/invoke/{appId}/method{uri.PathAndQuery}");
    }
}
