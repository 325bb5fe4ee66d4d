using System.Text.Json;
using Dapr.Common;
using Grpc.Net.Client;

namespace Dapr.Client;

/// <summary>Builds a <see cref="DaprClient"/>; what is not set comes from <see cref="DaprDefaults"/>.</summary>
public sealed class DaprClientBuilder
{
    string _httpEndpoint = DaprDefaults.GetDefaultHttpEndpoint();
    string _grpcEndpoint = DaprDefaults.GetDefaultGrpcEndpoint();
    string _apiToken = DaprDefaults.GetDefaultDaprApiToken(null);
    JsonSerializerOptions _json = new(JsonSerializerDefaults.Web);
    GrpcChannelOptions _channel = new() { ThrowOperationCanceledOnCancellation = true };
    TimeSpan _timeout;

    /// <summary>The sidecar's HTTP address: service invocation and health.</summary>
    public DaprClientBuilder UseHttpEndpoint(string httpEndpoint)
    {
        ArgumentException.ThrowIfNullOrEmpty(httpEndpoint);
        _httpEndpoint = httpEndpoint;
        return this;
    }

    /// <summary>The sidecar's gRPC address: everything else.</summary>
    public DaprClientBuilder UseGrpcEndpoint(string grpcEndpoint)
    {
        ArgumentException.ThrowIfNullOrEmpty(grpcEndpoint);
        _grpcEndpoint = grpcEndpoint;
        return this;
    }

    /// <summary>How values become JSON; without it, camel case and numbers from strings.</summary>
    public DaprClientBuilder UseJsonSerializationOptions(JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _json = options;
        return this;
    }

    /// <summary>Options of the connection for gRPC. They replace the defaults, <c>ThrowOperationCanceledOnCancellation</c> among them.</summary>
    public DaprClientBuilder UseGrpcChannelOptions(GrpcChannelOptions grpcChannelOptions)
    {
        ArgumentNullException.ThrowIfNull(grpcChannelOptions);
        _channel = grpcChannelOptions;
        return this;
    }

    /// <summary>The token to send; empty for none.</summary>
    public DaprClientBuilder UseDaprApiToken(string? apiToken)
    {
        _apiToken = apiToken ?? "";
        return this;
    }

    /// <summary>The longest that a request by HTTP may take.</summary>
    public DaprClientBuilder UseTimeout(TimeSpan timeout)
    {
        _timeout = timeout;
        return this;
    }

    /// <summary>The client.</summary>
    /// <exception cref="InvalidOperationException">An address is neither http nor https.</exception>
    public DaprClient Build()
    {
        Endpoints.Parse(_grpcEndpoint, "gRPC");
        var httpEndpoint = Endpoints.Parse(_httpEndpoint, "HTTP");
        var http = new HttpClient();
        if (_timeout > TimeSpan.Zero)
            http.Timeout = _timeout;
        DaprHeaders.Set(http.DefaultRequestHeaders, apiToken: null);
        return new DaprClientGrpc(GrpcChannel.ForAddress(_grpcEndpoint, _channel), http, httpEndpoint, _json, _apiToken);
    }
}
