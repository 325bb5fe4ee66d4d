namespace Dapr.Actors.Runtime;

public enum ActorCallType
{
    ActorInterfaceMethod,
    TimerMethod,
    ReminderMethod,
}

/// <summary>The call an actor is in.</summary>
public readonly struct ActorMethodContext
{
    private ActorMethodContext(string methodName, ActorCallType callType)
    {
        MethodName = methodName;
        CallType = callType;
    }

    /// <summary>Name of the method, or of the reminder.</summary>
    public string MethodName { get; }

    public ActorCallType CallType { get; }

    internal static ActorMethodContext CreateForActor(string methodName) => new(methodName, ActorCallType.ActorInterfaceMethod);

    internal static ActorMethodContext CreateForTimer(string methodName) => new(methodName, ActorCallType.TimerMethod);

    internal static ActorMethodContext CreateForReminder(string methodName) => new(methodName, ActorCallType.ReminderMethod);
}
