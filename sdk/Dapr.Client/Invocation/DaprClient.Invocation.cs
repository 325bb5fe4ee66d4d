using Dapr.Common;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Dapr.Client;

public abstract partial class DaprClient
{
    private protected const string UseNativeClients = "Recommended guidance is to use a native HTTP or gRPC client for service invocation";

    /// <summary>
    /// A client for other apps: the host of a request's address is the app id, so <c>http://orders/list?page=1</c> is <c>/list?page=1</c> of the app orders.
    /// </summary>
    /// <param name="appId">The app that addresses without a host mean.</param>
    /// <param name="daprEndpoint">The sidecar's HTTP address.</param>
    /// <param name="daprApiToken">The token to send. The one from the environment is not taken.</param>
    /// <exception cref="ArgumentException">The app id cannot be a host name.</exception>
    public static HttpClient CreateInvokeHttpClient(string? appId = null, string? daprEndpoint = null, string? daprApiToken = null)
    {
        var handler = new InvocationHandler(daprApiToken) { InnerHandler = new HttpClientHandler(), DefaultAppId = appId };
        if (daprEndpoint is not null)
            handler.DaprEndpoint = daprEndpoint;
        var client = new HttpClient(handler);
        DaprHeaders.Set(client.DefaultRequestHeaders, apiToken: null);
        if (appId is null)
            return client;

        try
        {
            client.BaseAddress = new Uri($"http://{appId}");
            return client;
        }
        catch (UriFormatException e)
        {
            client.Dispose();
            throw new ArgumentException("The appId must be a valid hostname.", nameof(appId), e);
        }
    }

    /// <summary>The same with the address and token of this client.</summary>
    /// <exception cref="ArgumentException">The app id cannot be a host name.</exception>
    public abstract HttpClient CreateInvokableHttpClient(string? appId = null);

    /// <summary>An invoker for gRPC clients of another app; the sidecar passes the calls on.</summary>
    public static CallInvoker CreateInvocationInvoker(string appId, string? daprEndpoint = null, string? daprApiToken = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(appId);
        var channel = GrpcChannel.ForAddress(daprEndpoint ?? DaprDefaults.GetDefaultGrpcEndpoint());
        return channel.Intercept(new InvocationInterceptor(appId, daprApiToken ?? DaprDefaults.GetDefaultDaprApiToken(null)));
    }

    /// <summary>A POST request to a method of an app.</summary>
    public HttpRequestMessage CreateInvokeMethodRequest(string appId, string methodName) => CreateInvokeMethodRequest(HttpMethod.Post, appId, methodName);

    /// <summary>A POST request to a method of an app.</summary>
    public HttpRequestMessage CreateInvokeMethodRequest(string appId, string methodName, IReadOnlyCollection<KeyValuePair<string, string>> queryStringParameters) =>
        CreateInvokeMethodRequest(HttpMethod.Post, appId, methodName, queryStringParameters);

    /// <summary>A request to a method of an app.</summary>
    public abstract HttpRequestMessage CreateInvokeMethodRequest(HttpMethod httpMethod, string appId, string methodName);

    /// <summary>A request to a method of an app.</summary>
    public abstract HttpRequestMessage CreateInvokeMethodRequest(
        HttpMethod httpMethod, string appId, string methodName, IReadOnlyCollection<KeyValuePair<string, string>> queryStringParameters);

    /// <summary>A POST request to a method of an app, with a JSON body.</summary>
    public HttpRequestMessage CreateInvokeMethodRequest<TRequest>(string appId, string methodName, TRequest data) =>
        CreateInvokeMethodRequest(HttpMethod.Post, appId, methodName, [], data);

    /// <summary>A request to a method of an app, with a JSON body.</summary>
    public abstract HttpRequestMessage CreateInvokeMethodRequest<TRequest>(
        HttpMethod httpMethod, string appId, string methodName, IReadOnlyCollection<KeyValuePair<string, string>> queryStringParameters, TRequest data);

    /// <summary>Sends a request; the response may be of any status.</summary>
    /// <exception cref="InvocationException">There is no response.</exception>
    [Obsolete(UseNativeClients)]
    public abstract Task<HttpResponseMessage> InvokeMethodWithResponseAsync(HttpRequestMessage request, CancellationToken cancellationToken = default);

    /// <summary>Sends a request.</summary>
    /// <exception cref="InvocationException">There is no response, or its status is no success.</exception>
    [Obsolete(UseNativeClients)]
    public abstract Task InvokeMethodAsync(HttpRequestMessage request, CancellationToken cancellationToken = default);

    /// <summary>Sends a request and reads the response from JSON.</summary>
    /// <exception cref="InvocationException">There is no response, its status is no success, or it is not JSON of the type.</exception>
    [Obsolete(UseNativeClients)]
    public abstract Task<TResponse> InvokeMethodAsync<TResponse>(HttpRequestMessage request, CancellationToken cancellationToken = default);

    /// <summary>Calls a method by POST.</summary>
    [Obsolete(UseNativeClients)]
    public Task InvokeMethodAsync(string appId, string methodName, CancellationToken cancellationToken = default) =>
        InvokeMethodAsync(CreateInvokeMethodRequest(appId, methodName), cancellationToken);

    /// <summary>Calls a method.</summary>
    [Obsolete(UseNativeClients)]
    public Task InvokeMethodAsync(HttpMethod httpMethod, string appId, string methodName, CancellationToken cancellationToken = default) =>
        InvokeMethodAsync(CreateInvokeMethodRequest(httpMethod, appId, methodName), cancellationToken);

    /// <summary>Calls a method by POST with a JSON body.</summary>
    [Obsolete(UseNativeClients)]
    public Task InvokeMethodAsync<TRequest>(string appId, string methodName, TRequest data, CancellationToken cancellationToken = default) =>
        InvokeMethodAsync(CreateInvokeMethodRequest(appId, methodName, data), cancellationToken);

    /// <summary>Calls a method with a JSON body.</summary>
    [Obsolete(UseNativeClients)]
    public Task InvokeMethodAsync<TRequest>(HttpMethod httpMethod, string appId, string methodName, TRequest data, CancellationToken cancellationToken = default) =>
        InvokeMethodAsync(CreateInvokeMethodRequest(httpMethod, appId, methodName, [], data), cancellationToken);

    /// <summary>Calls a method by POST and reads the response from JSON.</summary>
    [Obsolete(UseNativeClients)]
    public Task<TResponse> InvokeMethodAsync<TResponse>(string appId, string methodName, CancellationToken cancellationToken = default) =>
        InvokeMethodAsync<TResponse>(CreateInvokeMethodRequest(appId, methodName), cancellationToken);

    /// <summary>Calls a method and reads the response from JSON.</summary>
    [Obsolete(UseNativeClients)]
    public Task<TResponse> InvokeMethodAsync<TResponse>(HttpMethod httpMethod, string appId, string methodName, CancellationToken cancellationToken = default) =>
        InvokeMethodAsync<TResponse>(CreateInvokeMethodRequest(httpMethod, appId, methodName), cancellationToken);

    /// <summary>Calls a method by POST with a JSON body and reads the response from JSON.</summary>
    [Obsolete(UseNativeClients)]
    public Task<TResponse> InvokeMethodAsync<TRequest, TResponse>(string appId, string methodName, TRequest data, CancellationToken cancellationToken = default) =>
        InvokeMethodAsync<TResponse>(CreateInvokeMethodRequest(appId, methodName, data), cancellationToken);

    /// <summary>Calls a method with a JSON body and reads the response from JSON.</summary>
    [Obsolete(UseNativeClients)]
    public Task<TResponse> InvokeMethodAsync<TRequest, TResponse>(HttpMethod httpMethod, string appId, string methodName, TRequest data, CancellationToken cancellationToken = default) =>
        InvokeMethodAsync<TResponse>(CreateInvokeMethodRequest(httpMethod, appId, methodName, [], data), cancellationToken);

    /// <summary>Calls <c>OnInvoke</c> of an app that speaks gRPC.</summary>
    [Obsolete(UseNativeClients)]
    public abstract Task InvokeMethodGrpcAsync(string appId, string methodName, CancellationToken cancellationToken = default);

    /// <summary>Calls <c>OnInvoke</c> of an app that speaks gRPC.</summary>
    [Obsolete(UseNativeClients)]
    public abstract Task InvokeMethodGrpcAsync<TRequest>(string appId, string methodName, TRequest data, CancellationToken cancellationToken = default)
        where TRequest : IMessage;

    /// <summary>Calls <c>OnInvoke</c> of an app that speaks gRPC.</summary>
    [Obsolete(UseNativeClients)]
    public abstract Task<TResponse> InvokeMethodGrpcAsync<TResponse>(string appId, string methodName, CancellationToken cancellationToken = default)
        where TResponse : IMessage, new();

    /// <summary>Calls <c>OnInvoke</c> of an app that speaks gRPC.</summary>
    [Obsolete(UseNativeClients)]
    public abstract Task<TResponse> InvokeMethodGrpcAsync<TRequest, TResponse>(string appId, string methodName, TRequest data, CancellationToken cancellationToken = default)
        where TRequest : IMessage
        where TResponse : IMessage, new();
}
