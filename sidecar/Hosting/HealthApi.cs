using DaprPlatform.Sidecar.Http;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary><c>/v1.0/healthz</c> and <c>/v1.0/healthz/outbound</c> (https://docs.dapr.io/reference/api/health_api/).</summary>
internal sealed class HealthApi(SidecarRuntime runtime) : IBuildingBlock
{
    /// <summary>APIs and components are up; the app may not be yet.</summary>
    public bool OutboundReady { get; set; }

    /// <summary>Everything is up, the app included.</summary>
    public bool Ready { get; set; }

    public void MapHttp(Router router)
    {
        router.Map("healthz", "v1.0", "GET", "healthz", context =>
        {
            if (!Ready)
                return context.Error(new ApiException(500, StatusCode.Unavailable, "ERR_HEALTH_NOT_READY", "dapr is not ready: [runtime]"));
            return context.Query("appid") is { Length: > 0 } expected && expected != runtime.Options.AppId
                ? context.Error(new ApiException(500, StatusCode.Internal, "ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match"))
                : context.NoContent();
        });
        router.Map("healthz", "v1.0", "GET", "healthz/outbound", context => OutboundReady
            ? context.NoContent()
            : context.Error(new ApiException(500, StatusCode.Unavailable, "ERR_OUTBOUND_HEALTH_NOT_READY", "dapr outbound is not ready: [runtime]")));
    }
}
