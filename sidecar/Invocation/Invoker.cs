using System.Collections.Concurrent;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Resiliency;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>
/// Brings a call to its app: the sidecar's own directly, one of the same engine by a method call, one of another process through its internal port, an endpoint
/// without another sidecar. Resiliency policies of the target apply to all of them.
/// </summary>
internal sealed class Invoker(SidecarRuntime runtime, AppInvoker own)
{
    public AppInvoker Own => own;

    /// <param name="id">App id, with or without namespace; name of an HTTPEndpoint; or absolute URL.</param>
    /// <exception cref="InvocationException">The call does not reach the app, or a policy ended it.</exception>
    /// <exception cref="RequestBodyException">The caller's body cannot be read.</exception>
    public async ValueTask<InvocationResponse> InvokeAsync(string id, InvocationRequest request, CancellationToken cancellationToken)
    {
        var endpoints = runtime.Endpoints;
        var isEndpoint = endpoints.IsEndpoint(id);
        var appId = isEndpoint ? id : WithoutNamespace(id);
        // An endpoint has one breaker, an app one for each of its methods.
        var policy = runtime.Resiliency.ForApp(appId, isEndpoint ? "" : request.Method);
        if (policy.IsDefined)
        {
            return await policy.RunAsync(async token =>
            {
                try
                {
                    if (isEndpoint)
                        return await endpoints.CallAsync(id, request, token).ConfigureAwait(false);
                    return policy.IsExplicit ? await CallAppAsync(appId, request, token).ConfigureAwait(false) : await CallPatientlyAsync(appId, request, token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is RequestBodyException || !request.Body.CanWrite)
                {
                    throw new PermanentException(e);
                }
            }, response => Judge(response) with { IsFinal = !request.Body.CanWrite }, cancellationToken).ConfigureAwait(false);
        }

        if (isEndpoint)
            return await endpoints.CallAsync(id, request, cancellationToken).ConfigureAwait(false);
        return await CallPatientlyAsync(appId, request, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>True when a retry could send the request again, so that its body has to be kept.</summary>
    public bool MayRetry(string id)
    {
        if (runtime.Endpoints.IsEndpoint(id))
            return runtime.Resiliency.AppliesToApp(id);
        var dot = id.IndexOf('.', StringComparison.Ordinal);
        var appId = dot < 0 ? id : id[..dot];
        return runtime.Resiliency.AppliesToApp(appId) || (appId != runtime.Options.AppId && !runtime.Engine.Apps.IsLocal(appId));
    }

    /// <summary>The app id of <c>app</c> or <c>app.namespace</c>. On one machine the namespace does not count.</summary>
    public static string WithoutNamespace(string id)
    {
        var dot = id.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0)
            return id;
        return id.IndexOf('.', dot + 1) < 0 ? id[..dot] : throw new InvocationException(StatusCode.InvalidArgument, $"invalid app id {id}");
    }

    private static Verdict Judge(InvocationResponse response) => response switch
    {
        HttpInvocationResponse { Http.Status: var status } => status is >= 200 and < 400 ? Verdict.Success : Verdict.Http(status),
        GrpcInvocationResponse { Status.StatusCode: var code } => code == StatusCode.OK ? Verdict.Success : Verdict.Grpc(code),
        _ => Verdict.Success,
    };

    // Without a policy, calls to another sidecar that cannot be reached are repeated by the built-in policy.
    private async ValueTask<InvocationResponse> CallPatientlyAsync(string appId, InvocationRequest request, CancellationToken cancellationToken)
    {
        var retry = runtime.Resiliency.BuiltInServiceRetry;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await CallAppAsync(appId, request, cancellationToken).ConfigureAwait(false);
            }
            catch (InvocationException e) when (e.Code is StatusCode.Unavailable or StatusCode.Unauthenticated && e.InnerException is UpstreamException && request.Body.CanWrite && retry.Delay(attempt) is { } delay)
            {
                // Another replica may be there at once; only the address that just failed needs time.
                if (runtime.Engine.Apps.FindAll(appId).Count < 2)
                    await Task.Delay(delay, runtime.Time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async ValueTask<InvocationResponse> CallAppAsync(string appId, InvocationRequest request, CancellationToken cancellationToken)
    {
        if (appId == runtime.Options.AppId)
            return await own.CallAsync(request, cancellationToken).ConfigureAwait(false);
        if (appId.Length == 0)
            throw new InvocationException(StatusCode.InvalidArgument, "app id is empty");
        if (runtime.Engine.Apps.Find(appId) is not { } peer)
            throw new InvocationException(StatusCode.NotFound, $"couldn't find service: {appId}");

        request = request with { Caller = runtime.Self };
        var metrics = runtime.Metrics.Invocation;
        metrics.RequestSent(appId);
        var start = runtime.Time.GetTimestamp();
        InvocationResponse response;
        if (peer.Local is { } sidecar)
        {
            response = await sidecar.Invocation.Invoker.Own.CallAsync(request, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            try
            {
                response = await InternalProtocol.CallAsync(runtime.Engine.Peers.Of(peer.Address!), request, cancellationToken).ConfigureAwait(false);
            }
            catch (UpstreamException e)
            {
                runtime.Engine.Apps.Suspect(appId);
                throw new InvocationException(StatusCode.Unavailable, e.Message, e) { Remote = true };
            }
        }

        metrics.ResponseReceived(appId, response is HttpInvocationResponse http ? http.Http.Status : (int)((GrpcInvocationResponse)response).Status.StatusCode, runtime.Time.GetElapsedTime(start).TotalMilliseconds);
        return response;
    }
}

/// <summary>The ways to the internal ports of other processes.</summary>
internal sealed class PeerConnections : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Uri, Http2Transport> _peers = new();
    private readonly SocketsHttpHandler _handler = Http2Transport.CreateHandler(tls: false);

    /// <summary>HTTP/2 to other sidecars, for calls that are passed on as they are.</summary>
    public HttpMessageHandler Handler => _handler;

    public Http2Transport Of(Uri address) => _peers.TryGetValue(address, out var peer) ? peer : _peers.GetOrAdd(address, a => new Http2Transport(a, _handler, ownsHandler: false));

    public async ValueTask DisposeAsync()
    {
        foreach (var peer in _peers.Values)
            await peer.DisposeAsync().ConfigureAwait(false);
        _handler.Dispose();
    }
}
