namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The building blocks a sidecar has, in the order in which they are told that the app is there.</summary>
internal static class BuildingBlocks
{
    public static IEnumerable<IBuildingBlock> Create(SidecarRuntime runtime) =>
    [
        new HealthApi(runtime),
        new MetadataApi(runtime),
        new ShutdownApi(runtime),
        new Invocation.InvocationApi(runtime),
        new PubSub.PubSubApi(runtime),
        new PubSub.Outbox(runtime),
        new State.StateApi(runtime),
        new Bindings.BindingsApi(runtime),
        new Secrets.SecretsApi(runtime),
        new Configuration.ConfigurationApi(runtime),
        new Locking.LockApi(runtime),
        new Cryptography.CryptoApi(runtime),
        new Conversation.ConversationApi(runtime),
        new Actors.ActorsApi(runtime),
        new Workflow.WorkflowApi(runtime),
        new Mcp.McpApi(runtime),
        new Jobs.JobsApi(runtime),
    ];
}
