using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Dapr.Common;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Wire = Dapr.Proto.Runtime.V1;
using WireInvoke = Dapr.Proto.Common.V1;

namespace Dapr.Client;

internal sealed partial class DaprClientGrpc
{
    static readonly HttpRequestOptionsKey<string> AppId = new("Dapr.AppId");
    static readonly HttpRequestOptionsKey<string> MethodName = new("Dapr.MethodName");

    public override HttpClient CreateInvokableHttpClient(string? appId = null) => CreateInvokeHttpClient(appId, _httpEndpoint.AbsoluteUri, _apiToken);

    public override HttpRequestMessage CreateInvokeMethodRequest(HttpMethod httpMethod, string appId, string methodName) =>
        CreateInvokeMethodRequest(httpMethod, appId, methodName, []);

    public override HttpRequestMessage CreateInvokeMethodRequest(
        HttpMethod httpMethod, string appId, string methodName, IReadOnlyCollection<KeyValuePair<string, string>> queryStringParameters)
    {
        ArgumentNullException.ThrowIfNull(httpMethod);
        ArgumentException.ThrowIfNullOrEmpty(appId);
        ArgumentNullException.ThrowIfNull(methodName);
        ArgumentNullException.ThrowIfNull(queryStringParameters);

        var path = new StringBuilder("/v1.0/invoke/").Append(appId).Append("/method/").Append(methodName.AsSpan().TrimStart('/'));
        var separator = methodName.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        foreach (var (key, value) in queryStringParameters)
        {
            path.Append(separator).Append(Uri.EscapeDataString(key)).Append('=').Append(Uri.EscapeDataString(value));
            separator = '&';
        }

        var request = new HttpRequestMessage(httpMethod, new Uri(_httpEndpoint, path.ToString()));
        request.Options.Set(AppId, appId);
        request.Options.Set(MethodName, methodName);
        AddToken(request);
        return request;
    }

    public override HttpRequestMessage CreateInvokeMethodRequest<TRequest>(
        HttpMethod httpMethod, string appId, string methodName, IReadOnlyCollection<KeyValuePair<string, string>> queryStringParameters, TRequest data)
    {
        var request = CreateInvokeMethodRequest(httpMethod, appId, methodName, queryStringParameters);
        request.Content = JsonContent.Create(data, options: JsonSerializerOptions);
        return request;
    }

    [Obsolete(UseNativeClients)]
    public override async Task<HttpResponseMessage> InvokeMethodWithResponseAsync(HttpRequestMessage request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.RequestUri is not { IsAbsoluteUri: true } uri || !_httpEndpoint.IsBaseOf(uri))
            throw new InvalidOperationException("The provided request URI is not a Dapr service invocation URI.");
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw Failed(request, e, null);
        }
    }

    [Obsolete(UseNativeClients)]
    public override async Task InvokeMethodAsync(HttpRequestMessage request, CancellationToken cancellationToken = default)
    {
        using var response = await Succeed(request, cancellationToken).ConfigureAwait(false);
    }

    [Obsolete(UseNativeClients)]
    public override async Task<TResponse> InvokeMethodAsync<TResponse>(HttpRequestMessage request, CancellationToken cancellationToken = default)
    {
        var response = await Succeed(request, cancellationToken).ConfigureAwait(false);
        try
        {
            var value = await response.Content.ReadFromJsonAsync<TResponse>(JsonSerializerOptions, cancellationToken).ConfigureAwait(false);
            response.Dispose();
            return value!;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or NotSupportedException)
        {
            throw Failed(request, e, response);
        }
    }

    [Obsolete(UseNativeClients)]
    public override Task InvokeMethodGrpcAsync(string appId, string methodName, CancellationToken cancellationToken = default) =>
        Invoke(appId, methodName, null, cancellationToken);

    [Obsolete(UseNativeClients)]
    public override Task InvokeMethodGrpcAsync<TRequest>(string appId, string methodName, TRequest data, CancellationToken cancellationToken = default) =>
        Invoke(appId, methodName, data, cancellationToken);

    [Obsolete(UseNativeClients)]
    public override async Task<TResponse> InvokeMethodGrpcAsync<TResponse>(string appId, string methodName, CancellationToken cancellationToken = default) =>
        Unpack<TResponse>(await Invoke(appId, methodName, null, cancellationToken).ConfigureAwait(false));

    [Obsolete(UseNativeClients)]
    public override async Task<TResponse> InvokeMethodGrpcAsync<TRequest, TResponse>(string appId, string methodName, TRequest data, CancellationToken cancellationToken = default) =>
        Unpack<TResponse>(await Invoke(appId, methodName, data, cancellationToken).ConfigureAwait(false));

    async Task<WireInvoke.InvokeResponse> Invoke(string appId, string methodName, IMessage? data, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(appId);
        ArgumentException.ThrowIfNullOrEmpty(methodName);
        var message = new WireInvoke.InvokeRequest { Method = methodName };
        if (data is not null)
        {
            message.ContentType = "application/grpc";
            message.Data = Any.Pack(data);
        }

        try
        {
            using var call = _client.InvokeServiceAsync(new Wire.InvokeServiceRequest { Id = appId, Message = message }, Options(cancellationToken));
            return await call.ResponseAsync.ConfigureAwait(false);
        }
        catch (RpcException e)
        {
            throw new InvocationException(appId, methodName, e);
        }
    }

    static TResponse Unpack<TResponse>(WireInvoke.InvokeResponse response)
        where TResponse : IMessage, new()
    {
        var message = new TResponse();
        if (response.Data is { } data)
            message.MergeFrom(data.Value);
        return message;
    }

    async Task<HttpResponseMessage> Succeed(HttpRequestMessage request, CancellationToken cancellationToken)
    {
#pragma warning disable CS0618 // One obsolete member is written with another.
        var response = await InvokeMethodWithResponseAsync(request, cancellationToken).ConfigureAwait(false);
#pragma warning restore CS0618
        try
        {
            return response.EnsureSuccessStatusCode();
        }
        catch (HttpRequestException e)
        {
            throw Failed(request, e, response);
        }
    }

    // The caller may have made the request himself.
    static InvocationException Failed(HttpRequestMessage request, Exception cause, HttpResponseMessage? response) => new(
        request.Options.TryGetValue(AppId, out var appId) ? appId : "", request.Options.TryGetValue(MethodName, out var method) ? method : request.RequestUri!.AbsolutePath, cause, response);

    void AddToken(HttpRequestMessage request)
    {
        if (!string.IsNullOrWhiteSpace(_apiToken))
            request.Headers.TryAddWithoutValidation(DaprHeaders.ApiToken, _apiToken);
    }
}
