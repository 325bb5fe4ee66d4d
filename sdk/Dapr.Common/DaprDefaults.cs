using System.Globalization;
using System.Net.Http.Headers;
using Dapr.Common;
using Microsoft.Extensions.Configuration;

namespace Dapr;

/// <summary>Where the sidecar is and which tokens apply. Each name is looked up in the configuration, then in the environment.</summary>
public static class DaprDefaults
{
    /// <summary>The token that a sidecar demands of its callers.</summary>
    public const string DaprApiTokenName = "DAPR_API_TOKEN";

    /// <summary>The token that an app demands of its sidecar.</summary>
    public const string AppApiTokenName = "APP_API_TOKEN";

    /// <summary>The sidecar's HTTP address; wins over <see cref="DaprHttpPortName"/>.</summary>
    public const string DaprHttpEndpointName = "DAPR_HTTP_ENDPOINT";

    /// <summary>The sidecar's HTTP port on this host.</summary>
    public const string DaprHttpPortName = "DAPR_HTTP_PORT";

    /// <summary>The sidecar's gRPC address; wins over <see cref="DaprGrpcPortName"/>.</summary>
    public const string DaprGrpcEndpointName = "DAPR_GRPC_ENDPOINT";

    /// <summary>The sidecar's gRPC port on this host.</summary>
    public const string DaprGrpcPortName = "DAPR_GRPC_PORT";

    /// <summary>The scheme of a default address.</summary>
    public const string DefaultDaprScheme = "http";

    /// <summary>The host of a default address.</summary>
    public const string DefaultDaprHost = "localhost";

    /// <summary>The HTTP port unless one is given.</summary>
    public const int DefaultHttpPort = 3500;

    /// <summary>The gRPC port unless one is given.</summary>
    public const int DefaultGrpcPort = 50001;

    /// <summary>The token to send to the sidecar; empty if there is none.</summary>
    public static string GetDefaultDaprApiToken(IConfiguration? configuration) => Find(configuration, DaprApiTokenName) ?? "";

    /// <summary>The token to expect from the sidecar; empty if there is none.</summary>
    public static string GetDefaultAppApiToken(IConfiguration? configuration) => Find(configuration, AppApiTokenName) ?? "";

    /// <summary>The sidecar's HTTP address, ending in a slash.</summary>
    /// <exception cref="UriFormatException">The variable holds no address.</exception>
    /// <exception cref="FormatException">The variable holds no port.</exception>
    public static string GetDefaultHttpEndpoint(IConfiguration? configuration = null) =>
        Endpoint(configuration, DaprHttpEndpointName, DaprHttpPortName, DefaultHttpPort);

    /// <summary>The sidecar's gRPC address, ending in a slash.</summary>
    /// <exception cref="UriFormatException">The variable holds no address.</exception>
    /// <exception cref="FormatException">The variable holds no port.</exception>
    public static string GetDefaultGrpcEndpoint(IConfiguration? configuration = null) =>
        Endpoint(configuration, DaprGrpcEndpointName, DaprGrpcPortName, DefaultGrpcPort);

    /// <summary>A client of the sidecar's HTTP address that sends the token.</summary>
    public static HttpClient CreateDefaultHttpClient(IHttpClientFactory httpClientFactory, IConfiguration? configuration = null)
    {
        ArgumentNullException.ThrowIfNull(httpClientFactory);
        var client = httpClientFactory.CreateClient();
        client.BaseAddress = new Uri(GetDefaultHttpEndpoint(configuration));
        DaprHeaders.Set(client.DefaultRequestHeaders, GetDefaultDaprApiToken(configuration));
        return client;
    }

    static string Endpoint(IConfiguration? configuration, string endpointName, string portName, int defaultPort)
    {
        if (Find(configuration, endpointName) is { } endpoint)
        {
            var given = new UriBuilder(endpoint);
            return new UriBuilder(given.Scheme, given.Host, given.Port).ToString();
        }

        var port = Find(configuration, portName) is { } text ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : defaultPort;
        return new UriBuilder(DefaultDaprScheme, DefaultDaprHost, port).ToString();
    }

    static string? Find(IConfiguration? configuration, string name)
    {
        var value = configuration?[name];
        if (string.IsNullOrWhiteSpace(value))
            value = Environment.GetEnvironmentVariable(name);
        return string.IsNullOrWhiteSpace(value) ? null : value;
    }
}
