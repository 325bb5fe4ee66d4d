using Grpc.Core;

namespace Dapr.Client;

/// <summary>A call of another app failed.</summary>
public class InvocationException : DaprException
{
    /// <summary>A call by HTTP that failed.</summary>
    public InvocationException(string appId, string methodName, Exception innerException, HttpResponseMessage? response)
        : base(Text(appId, methodName), innerException)
    {
        AppId = appId;
        MethodName = methodName;
        Response = response;
    }

    /// <summary>A call by gRPC that failed.</summary>
    public InvocationException(string appId, string methodName, RpcException innerException)
        : base(Text(appId, methodName), innerException)
    {
        AppId = appId;
        MethodName = methodName;
    }

    /// <summary>The app called.</summary>
    public string AppId { get; }

    /// <summary>The method called.</summary>
    public string MethodName { get; }

    /// <summary>The response; null if there was none or the call went by gRPC.</summary>
    public HttpResponseMessage? Response { get; }

    static string Text(string appId, string methodName) => $"An exception occurred while invoking method: '{methodName}' on app-id: '{appId}'";
}
