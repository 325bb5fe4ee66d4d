using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.State;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>The state store that actors and workflows live in: the one component with <c>actorStateStore: true</c>.</summary>
internal static class ActorStateStore
{
    public const string Missing = "the state store is not configured to use the actor runtime. Have you set the - name: actorStateStore value: \"true\" in your state store component file?";

    /// <summary>Null when no component says so.</summary>
    public static IStateStore? Find(SidecarRuntime runtime) =>
        runtime.Components.All<IStateStore>().Where(c => runtime.Components.SpecOf(c.Key)?.Flag("actorStateStore") == true).Select(c => c.Value).FirstOrDefault();

    /// <exception cref="ApiException">The sidecar was started without placement.</exception>
    public static void RequirePlacement(SidecarRuntime runtime)
    {
        if (runtime.Options.PlacementHostAddress.Length == 0)
            throw new ApiException(400, StatusCode.Unavailable, "ERR_ACTOR_NO_PLACEMENT", "placement service is not configured");
    }
}
