namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The building blocks a sidecar has, in the order in which they are told that the app is there.</summary>
internal static class BuildingBlocks
{
    public static IEnumerable<IBuildingBlock> Create(SidecarRuntime runtime) =>
    [
        new HealthApi(runtime),
        new PubSub.PubSubApi(runtime),
        new State.StateApi(runtime),
        new Workflow.WorkflowApi(runtime),
    ];
}
