using System.Text.Json;
using Grpc.Net.Client;
using Microsoft.Extensions.Configuration;

namespace Dapr.Common;

/// <summary>Builds a client; what is not set comes from <see cref="DaprDefaults"/>.</summary>
public abstract class DaprGenericClientBuilder<TClientBuilder>
    where TClientBuilder : class, IDaprClient
{
    IHttpClientFactory? _httpClientFactory;

    /// <summary>Takes addresses and token from the configuration, then from the environment.</summary>
    protected DaprGenericClientBuilder(IConfiguration? configuration = null)
    {
        GrpcEndpoint = DaprDefaults.GetDefaultGrpcEndpoint(configuration);
        HttpEndpoint = DaprDefaults.GetDefaultHttpEndpoint(configuration);
        DaprApiToken = DaprDefaults.GetDefaultDaprApiToken(configuration);
        GrpcChannelOptions = new GrpcChannelOptions { ThrowOperationCanceledOnCancellation = true };
        JsonSerializerOptions = new JsonSerializerOptions(JsonSerializerDefaults.Web);
    }

    /// <summary>How values become JSON.</summary>
    public JsonSerializerOptions JsonSerializerOptions { get; private set; }

    /// <summary>The token sent with every request; empty if there is none.</summary>
    public string DaprApiToken { get; private set; }

    internal string GrpcEndpoint { get; private set; }

    internal string HttpEndpoint { get; private set; }

    internal GrpcChannelOptions GrpcChannelOptions { get; private set; }

    internal TimeSpan Timeout { get; private set; }

    /// <summary>The sidecar's HTTP address.</summary>
    public DaprGenericClientBuilder<TClientBuilder> UseHttpEndpoint(string httpEndpoint)
    {
        ArgumentException.ThrowIfNullOrEmpty(httpEndpoint);
        HttpEndpoint = httpEndpoint;
        return this;
    }

    /// <summary>The sidecar's gRPC address.</summary>
    public DaprGenericClientBuilder<TClientBuilder> UseGrpcEndpoint(string grpcEndpoint)
    {
        ArgumentException.ThrowIfNullOrEmpty(grpcEndpoint);
        GrpcEndpoint = grpcEndpoint;
        return this;
    }

    /// <summary>Where the client for the HTTP address comes from.</summary>
    public DaprGenericClientBuilder<TClientBuilder> UseHttpClientFactory(IHttpClientFactory? httpClientFactory)
    {
        _httpClientFactory = httpClientFactory;
        return this;
    }

    /// <summary>How values become JSON.</summary>
    public DaprGenericClientBuilder<TClientBuilder> UseJsonSerializationOptions(JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        JsonSerializerOptions = options;
        return this;
    }

    /// <summary>Options of the connection for gRPC.</summary>
    public DaprGenericClientBuilder<TClientBuilder> UseGrpcChannelOptions(GrpcChannelOptions grpcChannelOptions)
    {
        ArgumentNullException.ThrowIfNull(grpcChannelOptions);
        GrpcChannelOptions = grpcChannelOptions;
        return this;
    }

    /// <summary>The token to send; empty for none.</summary>
    public DaprGenericClientBuilder<TClientBuilder> UseDaprApiToken(string? apiToken)
    {
        DaprApiToken = apiToken ?? "";
        return this;
    }

    /// <summary>The longest that a request by HTTP may take.</summary>
    public DaprGenericClientBuilder<TClientBuilder> UseTimeout(TimeSpan timeout)
    {
        Timeout = timeout;
        return this;
    }

    /// <summary>The client.</summary>
    /// <exception cref="InvalidOperationException">An address is neither http nor https.</exception>
    public abstract TClientBuilder Build();

    internal GrpcChannel CreateChannel()
    {
        Endpoints.Parse(GrpcEndpoint, "gRPC");
        return GrpcChannel.ForAddress(GrpcEndpoint, GrpcChannelOptions);
    }

    internal HttpClient CreateHttpClient()
    {
        var client = _httpClientFactory?.CreateClient() ?? new HttpClient();
        client.BaseAddress = Endpoints.Parse(HttpEndpoint, "HTTP");
        if (Timeout > TimeSpan.Zero)
            client.Timeout = Timeout;
        DaprHeaders.Set(client.DefaultRequestHeaders, DaprApiToken);
        return client;
    }
}
