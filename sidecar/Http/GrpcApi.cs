using System.Security.Cryptography;
using System.Text;
using DaprPlatform.Sidecar.Hosting;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Sidecar.Http;

/// <summary>
/// The gRPC API of one sidecar: <c>dapr.proto.runtime.v1.Dapr</c> and the further services of the building blocks by one look-up of the path; every other
/// method is proxied to the app that the call names.
/// </summary>
internal sealed class GrpcApi
{
    private readonly SidecarRuntime _runtime;
    private readonly List<GrpcMethodTable> _tables = [];

    public GrpcApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _tables.Add(GrpcMethodTable.Create(new DaprGrpcService(runtime), Options()));
        foreach (var block in runtime.GrpcServices)
            _tables.Add(block(Options()));
    }

    public Task HandleAsync(HttpContext http)
    {
        if (_runtime.Options.ApiToken is { } token && RefuseToken(http, token) is { } refusal)
            return refusal;
        var path = http.Request.Path.Value ?? "";
        foreach (var table in _tables)
        {
            if (table.TryGet(path, out var handler))
                return handler(http);
        }

        return _runtime.GrpcFallback(http);
    }

    /// <summary>Calls from other sidecars.</summary>
    public Task HandleInternalAsync(HttpContext http) => _runtime.InternalHandler(http);

    private GrpcServiceOptions Options() => new() { MaxReceiveMessageSize = _runtime.Options.MaxBodySize, MaxSendMessageSize = null, EnableDetailedErrors = true };

    private static Task? RefuseToken(HttpContext http, string token)
    {
        var given = http.Request.Headers["dapr-api-token"].ToString();
        if (CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(token)))
        {
            http.Request.Headers.Remove("dapr-api-token");
            return null;
        }

        var info = ApiException.Info("Unauthorized", ("http.code", "401"), ("http.error_message", given.Length == 0 ? "missing api token in request metadata" : "authentication error: api token mismatch"));
        info.Domain = "dapr.io";
        var error = new ApiException(401, StatusCode.Unauthenticated, "Unauthorized", "Unauthorized", info).ToRpcException();
        return GrpcProtocol.WriteStatus(http, error.Status, error.Trailers);
    }
}
